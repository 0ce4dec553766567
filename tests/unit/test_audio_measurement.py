"""What is measured from a stored MP3, compared with what its upload measured from the WAV."""

import asyncio
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from converting import Converted, a_converter, convert, in_blocks
from factories import chunk, fmt_chunk, riff, wav
from pigwav.audio.measurement import Measured, Mp3Measurement
from pigwav.audio.mp3 import bit_rates_kbps
from pigwav.domain import AudioFacts, AudioWarning, Levels, MeasuredFrom, WarningCode
from pigwav.errors import UndecodableAudio

RATE_HZ = 44_100
Signal = npt.NDArray[np.float64]
"""-1 to 1."""


def music(seed: int = 1, seconds: float = 3.5) -> Signal:
    """Noise whose power falls with the frequency, as that of music and speech does, with a pause in each second."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    signal = np.fft.irfft(spectrum / np.maximum(1, np.arange(spectrum.size)) ** 0.7, count)
    signal -= signal.mean()
    loud = np.sin(2 * np.pi * np.arange(count) / RATE_HZ) > -0.5
    return 0.5 * signal / np.abs(signal).max() * np.where(loud, 1, 0.1)


def wav_of(*channels: Signal) -> bytes:
    values = (np.clip(np.stack(channels, axis=1), -1, 1) * 32_767).astype("<i2")
    return riff(fmt_chunk(rate=RATE_HZ, channels=len(channels)) + chunk(b"data", values.tobytes()))


def older(facts: AudioFacts) -> AudioFacts:
    """As in a row that is older than levels and warnings."""
    return replace(facts, peak_dbfs=None, levels=None, warnings=None)


def measured(converted: Converted, facts: AudioFacts | None = None) -> Measured:
    async def run() -> Measured:
        with a_converter() as converter:
            measurement = Mp3Measurement(converter.decoders)
            return await measurement(in_blocks(converted.mp3), facts or older(converted.facts))

    return asyncio.run(run())


def levels(facts: AudioFacts) -> Levels:
    assert facts.levels is not None
    return facts.levels


@pytest.mark.parametrize("bitrate_kbps", [128, 192, 224, 256])
def test_levels_are_near_those_of_the_wav(bitrate_kbps: int) -> None:
    converted = convert(wav_of(music(1), music(2) / 4), bitrate_kbps=bitrate_kbps)

    found = measured(converted)

    before, after = levels(converted.facts), levels(found.facts)
    assert after.loudness_lufs == pytest.approx(before.loudness_lufs, abs=0.2)
    assert after.loudness_range_lu == pytest.approx(before.loudness_range_lu, abs=0.3)
    assert after.rms_dbfs == pytest.approx(before.rms_dbfs, abs=0.2)
    assert after.silent_share == pytest.approx(before.silent_share, abs=0.05)
    for was, now in zip(before.channels, after.channels, strict=True):
        assert now.peak_dbfs == pytest.approx(was.peak_dbfs, abs=1)
        assert now.dc_offset == pytest.approx(was.dc_offset, abs=0.001)
    assert found.facts.peak_dbfs == after.peak_dbfs
    was, now = converted.result.waveform, found.waveform
    assert (now.sample_rate_hz, now.samples_per_point) == (was.sample_rate_hz, was.samples_per_point)
    assert now.pairs.shape == was.pairs.shape
    assert np.abs(now.pairs.astype(int) - was.pairs).max() <= 10


def test_what_an_encoder_changes_is_not_measured() -> None:
    loud = 20 * np.concatenate([music(), -music()])
    converted = convert(wav_of(loud, loud))

    found = measured(converted).facts

    assert {warning.code for warning in converted.facts.warnings or ()} == {
        WarningCode.CLIPPED,
        WarningCode.CHANNELS_IDENTICAL,
    }
    assert found.warnings is None
    after = levels(found)
    assert (after.correlation, after.identical, after.measured_from) == (None, None, MeasuredFrom.MP3)
    assert [channel.clipped_samples for channel in after.channels] == [None, None]
    assert levels(converted.facts).measured_from is MeasuredFrom.WAV


def test_warnings_about_the_sound_follow_those_that_are_known() -> None:
    known = AudioWarning("truncated", "Short.", 12, "ms")
    converted = convert(wav_of(music() / 1000, music() / 1000 + 0.02))
    facts = replace(older(converted.facts), warnings=(known,), peak_dbfs=-1.5)

    found = measured(converted, facts).facts

    assert found.warnings is not None
    assert found.warnings[0] == known
    assert {warning.code for warning in found.warnings[1:]} == {
        warning.code for warning in converted.facts.warnings or ()
    }
    assert found.peak_dbfs == -1.5, "the peak of the WAV stays"


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("samples", [1, 575, 30_001])
def test_exactly_the_samples_of_the_wav_are_measured(rate_hz: int, samples: int) -> None:
    converted = convert(wav(rate=rate_hz, samples=samples), bitrate_kbps=bit_rates_kbps(rate_hz)[-1])

    found = measured(converted)

    was = converted.result.waveform.pairs.astype(int)
    assert found.waveform.pairs.shape == was.shape
    assert np.abs(found.waveform.pairs - was).mean() <= 4, "nothing is shifted"


@pytest.mark.parametrize("more_or_fewer", [-2_000, 2_000])
def test_an_mp3_of_another_length_is_refused(more_or_fewer: int) -> None:
    converted = convert(wav(seconds=1))

    with pytest.raises(UndecodableAudio):
        measured(converted, replace(converted.facts, samples=converted.facts.samples + more_or_fewer))


@pytest.mark.parametrize("body", [b"", b"no MP3 at all" * 999, b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_mp3_is_refused(body: bytes) -> None:
    with pytest.raises(UndecodableAudio):
        measured(replace(convert(wav(seconds=0.1)), mp3=body))
