"""Loudness against the test signals of EBU Tech 3341 and 3342, and against ffmpeg's ebur128."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pigwav.audio.ffmpeg import find_ffmpeg
from pigwav.audio.levels import LevelMeter
from pigwav.audio.loudness import LoudnessMeter, k_weighting
from pigwav.audio.mp3 import SAMPLE_RATES_HZ
from pigwav.audio.pcm import PcmFormat
from unit.test_audio_levels import levels_of

Steps = list[tuple[float, float]]
"""dBFS of a sine's peak, and seconds."""


def sine(
    steps: Steps, *, rate_hz: int = 48_000, channels: int = 2, hz: float = 1000
) -> npt.NDArray[np.int16]:
    """Samples x channels, as in the EBU's signals: the same in phase in all channels."""
    ends = np.cumsum([0, *(round(seconds * rate_hz) for _, seconds in steps)])
    gains = np.concatenate(
        [
            np.full(end - start, 10 ** (dbfs / 20))
            for (start, end), (dbfs, _) in zip(pairwise(ends), steps, strict=True)
        ]
    )
    signal = gains * np.sin(2 * np.pi * hz * np.arange(gains.size) / rate_hz) * 32_767
    return np.repeat(np.round(signal).astype(np.int16)[:, np.newaxis], channels, axis=1)


@pytest.mark.parametrize(
    ("steps", "lufs"),
    [
        pytest.param([(-23, 20)], -23.0, id="1"),
        pytest.param([(-33, 20)], -33.0, id="2"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], -23.0, id="3"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0, id="4"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], -23.0, id="5"),
    ],
)
def test_integrated_loudness_of_the_signals_of_ebu_tech_3341(steps: Steps, lufs: float) -> None:
    assert levels_of(sine(steps), 48_000).loudness_lufs == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize(
    ("steps", "range_lu"),
    [
        pytest.param([(-20, 20), (-30, 20)], 10, id="1"),
        pytest.param([(-20, 20), (-15, 20)], 5, id="2"),
        pytest.param([(-40, 20), (-20, 20)], 20, id="3"),
        pytest.param([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15, id="4"),
    ],
)
def test_loudness_range_of_the_signals_of_ebu_tech_3342(steps: Steps, range_lu: float) -> None:
    assert levels_of(sine(steps), 48_000).loudness_range_lu == pytest.approx(range_lu, abs=1)


@pytest.mark.parametrize("rate_hz", SAMPLE_RATES_HZ)
def test_a_sine_of_full_scale_has_the_loudness_that_bs_1770_gives_at_every_rate(rate_hz: int) -> None:
    levels = levels_of(sine([(0, 5)], rate_hz=rate_hz, channels=1, hz=997), rate_hz)

    assert levels.loudness_lufs == pytest.approx(-3.01, abs=0.05)


def test_k_weighting_is_that_of_bs_1770_at_48_khz() -> None:
    """The filters of ITU-R BS.1770-5, tables 1 and 2."""
    z = np.exp(-1j * np.linspace(0, np.pi, 1000))
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)

    assert k_weighting(48_000, 1000) == pytest.approx(np.abs(shelf * high_pass) ** 2, abs=1e-5)


@pytest.mark.parametrize("hz", [40, 60, 997, 5000, 15_000])
def test_a_tone_that_does_not_fit_into_the_frames_is_measured_as_well(hz: float) -> None:
    """Its spectrum leaks into others, where the weight differs."""
    whole = levels_of(sine([(-10, 10)], hz=hz), 48_000).loudness_lufs
    odd = levels_of(sine([(-10, 10)], hz=hz + 4.9), 48_000).loudness_lufs

    weights = k_weighting(48_000, 24_001)  # one per hertz
    expected = 10 * np.log10(weights[round(hz + 4.9)] / weights[round(hz)])
    assert whole is not None
    assert odd is not None
    assert odd - whole == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100])
def test_it_is_what_ffmpeg_says_of_noise_and_speech_like_sound(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    samples = bursts(rate_hz, channels)

    levels = levels_of(samples, rate_hz)
    lufs, range_lu = ebur128(samples, rate_hz, tmp_path / "pcm")

    assert levels.loudness_lufs == pytest.approx(lufs, abs=0.1)
    assert levels.loudness_range_lu == pytest.approx(range_lu, abs=0.5)


def bursts(rate_hz: int, channels: int, seconds: int = 40) -> npt.NDArray[np.int16]:
    """Noise with more low than high frequencies, short pauses and slow changes of level, the same in each run."""
    rng = np.random.default_rng(17)
    seconds_of = np.arange(seconds * rate_hz) / rate_hz
    level = np.where(np.sin(seconds_of * 9) > -0.8, 10 ** (-1.5 + np.sin(seconds_of / 5) / 2), 0.001)
    noise = rng.standard_normal((seconds * rate_hz, channels)).cumsum(axis=0)
    noise[1:] -= 0.98 * noise[:-1]
    return np.clip(noise * level[:, np.newaxis] * 4000, -32_768, 32_767).astype(np.int16)


def ebur128(samples: npt.NDArray[np.int16], rate_hz: int, file: Path) -> tuple[float, float]:
    """ffmpeg's integrated loudness and loudness range."""
    file.write_bytes(samples.tobytes())
    form = ["-f", "s16le", "-ar", str(rate_hz), "-ac", str(samples.shape[1])]
    command = [
        find_ffmpeg(None),
        "-hide_banner",
        "-nostats",
        *form,
        "-i",
        str(file),
        "-af",
        "ebur128",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return (
        float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1]),
        float(re.findall(r"LRA:\s+([\d.]+) LU", said)[-1]),
    )


def test_what_is_too_short_or_too_quiet_has_none() -> None:
    assert levels_of(sine([(-20, 0.39)]), 48_000).loudness_lufs is None
    assert levels_of(sine([(-20, 0.41)]), 48_000).loudness_lufs is not None
    assert levels_of(sine([(-20, 2.9)]), 48_000).loudness_range_lu is None
    assert levels_of(sine([(-20, 3.1)]), 48_000).loudness_range_lu == pytest.approx(0, abs=0.1)
    assert levels_of(sine([(-80, 10)]), 48_000).loudness_lufs is None


def test_memory_does_not_grow_with_the_length() -> None:
    meter = LevelMeter(PcmFormat(8_000, 1))
    sizes = []
    for _ in range(20):
        meter.feed(sine([(-20, 10)], rate_hz=8_000, channels=1).tobytes())
        sizes.append(sum(array.nbytes for array in arrays_of(meter)))
    assert max(sizes[1:]) - min(sizes[1:]) < 1000
    assert max(sizes) < 100_000


def arrays_of(thing: object) -> list[npt.NDArray[np.float64]]:
    """All arrays that an object of ours holds."""
    if isinstance(thing, np.ndarray):
        return [thing]
    return [array for value in getattr(thing, "__dict__", {}).values() for array in arrays_of(value)]


@pytest.mark.parametrize("block_samples", [1, 7, 4_799, 4_800, 4_801, 48_000])
def test_blocks_of_any_length_give_the_same_loudness(block_samples: int) -> None:
    samples = bursts(48_000, 2, seconds=1)[: 48_000 if block_samples > 1 else 24_000].T.astype(np.float32)

    def measured(step: int) -> float:
        meter = LoudnessMeter(48_000, 2)
        for start in range(0, samples.shape[1], step):
            meter.feed(samples[:, start : start + step])
        meter.end()
        lufs = meter.integrated_lufs()
        assert lufs is not None
        return lufs

    assert measured(block_samples) == pytest.approx(measured(samples.shape[1]), abs=1e-5)
