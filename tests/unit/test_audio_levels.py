"""Levels of PCM against their definitions, written down the slow way."""

import math
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pigwav.audio.levels import LevelMeter
from pigwav.audio.pcm import PcmFormat
from pigwav.domain import AudioFacts, ChannelLevels, Levels, WavSource

RATE_HZ = 8_000
FACTS = AudioFacts(
    wav_size_bytes=0,
    wav_sha256=b"",
    samples=0,
    duration_ms=0,
    declared_duration_ms=None,
    truncated=False,
    sample_rate_hz=RATE_HZ,
    channels=1,
    bitrate_kbps=64,
    source=WavSource("pcm_s16le", RATE_HZ, 1, 16),
)
Samples = npt.NDArray[np.int16]
"""Samples x channels."""


def levels_of(samples: Samples, rate_hz: int = RATE_HZ, *, block_samples: int = 32_768) -> Levels:
    meter = LevelMeter(PcmFormat(rate_hz, samples.shape[1]))
    for start in range(0, len(samples), block_samples):
        meter.feed(samples[start : start + block_samples].tobytes())
    levels = meter.complete(FACTS).levels
    assert levels is not None
    return levels


def dbfs(magnitude: float) -> float:
    return max(-120.0, 20 * math.log10(magnitude / 32_768)) if magnitude else -120.0


def clipped(signal: list[int]) -> int:
    runs = [(value, len(list(run))) for value, run in groupby(signal)]
    return sum(length for value, length in runs if value in (32_767, -32_768) and length >= 3)


def longest_and_total_silence(samples: Samples) -> tuple[int, int]:
    """In frames of 100 ms, the longest run and all; the last frame may be shorter."""
    frames = [samples[start : start + 800] for start in range(0, len(samples), 800)]
    silent = [bool((np.abs(frame.astype(int)) <= 32).all()) for frame in frames]
    runs = [len(list(run)) for value, run in groupby(silent) if value]
    return max(runs, default=0), sum(len(frame) for frame, quiet in zip(frames, silent, strict=True) if quiet)


loud_quiet_or_clipped = st.sampled_from([0, 1, -30, 32, 33, -33, 5000, -20_000, 32_767, 32_767, -32_768])
pieces = st.lists(
    st.tuples(loud_quiet_or_clipped, loud_quiet_or_clipped, st.integers(1, 2500)), min_size=1, max_size=12
)


@given(pieces, st.integers(1, 2), st.sampled_from([1, 7, 800, 801, 5000]))
def test_they_are_what_their_definitions_say(
    runs: list[tuple[int, int, int]], channels: int, block_samples: int
) -> None:
    samples = np.repeat(
        np.array([run[:channels] for run in runs], np.int16), [run[2] for run in runs], axis=0
    )
    if block_samples == 1:
        samples = samples[:900]

    levels = levels_of(samples, block_samples=block_samples)

    floats = samples.astype(float)
    assert levels.rms_dbfs == pytest.approx(dbfs(math.sqrt((floats**2).mean())), abs=0.01)
    for number, channel in enumerate(levels.channels):
        signal = floats[:, number]
        assert channel.peak_dbfs == pytest.approx(dbfs(abs(signal).max()), abs=0.01)
        assert channel.rms_dbfs == pytest.approx(dbfs(math.sqrt((signal**2).mean())), abs=0.01)
        assert channel.dc_offset == pytest.approx(signal.mean() / 32_768, abs=1e-5)
        assert channel.clipped_samples == clipped(samples[:, number].tolist())
    longest, silent = longest_and_total_silence(samples)
    assert levels.longest_silence_ms == 100 * longest
    assert levels.silent_share == pytest.approx(silent / len(samples), abs=1e-4)
    assert levels.identical == (None if channels == 1 else bool((samples[:, 0] == samples[:, 1]).all()))


@given(hnp.arrays(np.int16, st.tuples(st.integers(0, 4000), st.integers(1, 2))))
def test_any_samples_have_levels(samples: Samples) -> None:
    levels = levels_of(samples)

    for channel in levels.channels:
        assert -120 <= channel.rms_dbfs <= channel.peak_dbfs + 0.01 <= 0.02
        assert -1 <= channel.dc_offset < 1
        assert 0 <= channel.clipped_samples <= len(samples)
    assert 0 <= levels.silent_share <= 1


def two_channels(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> Levels:
    return levels_of(np.stack([left, right], axis=1).astype(np.int16))


def test_how_two_channels_relate() -> None:
    rng = np.random.default_rng(5)
    voice, other = rng.normal(0, 3000, 20_000).round(), rng.normal(0, 3000, 20_000).round()

    same, inverted = two_channels(voice, voice), two_channels(voice, -voice)
    apart, dead = two_channels(voice, other), two_channels(voice, 0 * voice)

    assert (same.correlation, same.identical) == (1.0, True)
    assert (inverted.correlation, inverted.identical) == (-1.0, False)
    assert apart.correlation == pytest.approx(0, abs=0.05)
    assert (dead.correlation, dead.identical) == (None, False)
    assert dead.channels[1] == ChannelLevels(-120.0, -120.0, 0.0, 0)


def test_identical_channels_that_differ_in_the_last_sample_are_not() -> None:
    samples = np.full((RATE_HZ * 5 + 3, 2), 100, np.int16)
    samples[-1, 1] = 101

    assert levels_of(samples[:-1]).identical
    assert not levels_of(samples).identical


def test_of_nothing_there_is_silence() -> None:
    levels = levels_of(np.zeros((0, 1), np.int16))

    assert levels == Levels(None, None, -120.0, 0.0, 0, (ChannelLevels(-120.0, -120.0, 0.0, 0),))
