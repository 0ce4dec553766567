"""Warnings about the sound: each begins at its threshold, and ordinary sound has none."""

import numpy as np
import numpy.typing as npt
import pytest

from converting import convert
from factories import chunk, fmt_chunk, riff
from problem_assertions import is_sentence

RATE_HZ = 16_000
Signal = npt.NDArray[np.float64]
"""-1 to 1."""


def voice(seed: int = 1, seconds: float = 4) -> Signal:
    """Noise in syllables at the level of speech."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    return noise * 0.07 * np.abs(np.sin(np.arange(noise.size) * 9 / RATE_HZ))


def wav_of(*channels: Signal) -> bytes:
    samples = np.clip(np.stack(channels, axis=1) * 32_768, -32_768, 32_767).round().astype("<i2")
    return riff(fmt_chunk(rate=RATE_HZ, channels=len(channels)) + chunk(b"data", samples.tobytes()))


def clipped(samples: int) -> Signal:
    """Speech in which so many samples, in runs of four, are at full scale."""
    signal = voice()
    for start in range(0, samples * 10, 40):
        signal[start : start + 4] = 1.0
    return signal


SILENCE = np.zeros(4 * RATE_HZ)
TONE = np.sin(np.arange(4 * RATE_HZ) * 0.2)


@pytest.mark.parametrize(
    ("channels", "codes"),
    [
        pytest.param((voice(),), [], id="mono speech"),
        pytest.param((voice(1), voice(2)), [], id="two voices"),
        pytest.param((voice(1), 0.9 * voice(1) + 0.1 * voice(2)), [], id="almost mono"),
        pytest.param((clipped(76),), [], id="a few clipped"),
        pytest.param((clipped(80),), ["clipped"], id="5 ms clipped"),
        pytest.param((3 * TONE,), ["clipped"], id="much too loud"),
        pytest.param((SILENCE,), ["silent"], id="silence"),
        pytest.param((SILENCE, SILENCE), ["silent"], id="silence in two channels"),
        pytest.param((TONE * 10 ** (-60.5 / 20),), ["silent"], id="below -60 dBFS"),
        pytest.param((TONE * 10 ** (-46 / 20),), ["very-quiet"], id="below -45 LUFS"),
        pytest.param((TONE * 10 ** (-40 / 20),), [], id="quiet"),
        pytest.param((voice(), SILENCE), ["channel-silent"], id="right is dead"),
        pytest.param((SILENCE, voice()), ["channel-silent"], id="left is dead"),
        pytest.param((voice(), voice()), ["channels-identical"], id="mono in two channels"),
        pytest.param((voice(), -voice()), ["channels-inverted"], id="inverted"),
        pytest.param((voice(), -voice() + 0.02 * voice(2)), ["channels-inverted"], id="nearly inverted"),
        pytest.param((voice() + 0.0095,), [], id="a small offset"),
        pytest.param((voice() - 0.0105,), ["dc-offset"], id="an offset"),
    ],
)
def test_it_begins_at_its_threshold(channels: tuple[Signal, ...], codes: list[str]) -> None:
    warnings = convert(wav_of(*channels)).facts.warnings or ()

    assert [warning.code for warning in warnings] == codes
    for warning in warnings:
        assert is_sentence(warning.detail)
        assert warning.value is not None


def test_the_value_is_what_was_measured() -> None:
    def value(*channels: Signal) -> tuple[float | None, str | None]:
        [warning] = convert(wav_of(*channels)).facts.warnings or ()
        return warning.value, warning.unit

    assert value(clipped(400)) == (400, "samples")
    assert value(SILENCE) == (-120, "dBFS")
    assert value(voice(), SILENCE) == (-120, "dBFS")
    assert value(voice(), voice()) == (1, None)
    assert value(voice(), -voice()) == (-1, None)
    assert value(voice() - 0.05) == (pytest.approx(-5, abs=0.1), "percent")
    quiet, unit = value(TONE * 10 ** (-50 / 20))
    assert (quiet, unit) == (pytest.approx(-53, abs=1), "LUFS")
