"""Measures a stored MP3: its levels and its waveform, by the meters that measure an upload's PCM."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from pigwav.audio.decoder_process import decode
from pigwav.audio.decoders import Decoders
from pigwav.audio.levels import LevelMeter
from pigwav.audio.mp3 import DECODER_DELAY, ENCODER_DELAY, Mp3Format, Mp3Shape
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.warnings import level_warnings
from pigwav.audio.waveform import Waveform, WaveformMeter
from pigwav.domain import AudioFacts, Levels, MeasuredFrom
from pigwav.errors import UndecodableAudio

_LEAST_CPU_LIMIT_S: Final = 60


@dataclass(frozen=True)
class Measured:
    """`facts`: with levels, and with the warnings and the peak that follow from them."""

    facts: AudioFacts
    waveform: Waveform


@dataclass(frozen=True)
class Mp3Measurement:
    """Measures in constant memory, with one decoder process at a time."""

    decoders: Decoders

    async def __call__(self, mp3: AsyncGenerator[bytes, None], facts: AudioFacts) -> Measured:
        """`mp3`: a whole MP3 of this service. `facts`: what is known about it.

        Raises what `mp3` raises, UndecodableAudio if the MP3 has not the frames that `facts.samples` need, and
        Overloaded if no decoder can be started.
        """
        mp3_format = Mp3Format(facts.sample_rate_hz, facts.channels, facts.bitrate_kbps)
        pcm_format = PcmFormat(facts.sample_rate_hz, facts.channels)
        # A decoder that takes the whole playing time is stuck (see Plan).
        limit_s = max(_LEAST_CPU_LIMIT_S, facts.duration_ms // 1000)
        argv = self.decoders.mp3_argv(mp3_format, cpu_limit_s=limit_s)
        cut = _Cut(mp3_format, pcm_format, facts.samples)
        levels, waveform = LevelMeter(pcm_format), WaveformMeter(pcm_format)
        async with aclosing(decode(argv, b"", mp3, on_end=self.decoders.on_end)) as decoded:
            async for block in decoded:
                samples = cut.take(block)
                levels.feed(samples)
                waveform.feed(samples)
        cut.end()
        return Measured(_with(facts, _of_mp3(levels.levels())), waveform.waveform())


class _Cut:
    """Cuts the encoder's and the decoder's delay and the padding off the PCM of all frames."""

    def __init__(self, mp3: Mp3Format, pcm: PcmFormat, samples: int) -> None:
        self._expected_bytes = Mp3Shape.of(samples, mp3).frames * mp3.frame_samples * pcm.sample_bytes
        self._start = (ENCODER_DELAY + DECODER_DELAY) * pcm.sample_bytes
        self._stop = self._start + samples * pcm.sample_bytes
        self._seen = 0

    def take(self, pcm: bytes) -> bytes:
        began, self._seen = self._seen, self._seen + len(pcm)
        return pcm[max(0, self._start - began) : max(0, self._stop - began)]

    def end(self) -> None:
        if self._seen != self._expected_bytes:
            raise UndecodableAudio(
                f"The frames of the MP3 have {self._seen} bytes of PCM, not {self._expected_bytes}."
            )


def _of_mp3(levels: Levels) -> Levels:
    """Without what the encoder changes: it rounds off clipped peaks, and codes what two channels have in common."""
    return replace(
        levels,
        channels=tuple(replace(channel, clipped_samples=None) for channel in levels.channels),
        correlation=None,
        identical=None,
        measured_from=MeasuredFrom.MP3,
    )


def _with(facts: AudioFacts, levels: Levels) -> AudioFacts:
    """The peak of the WAV stays if it is known. Warnings stay None if there are none: the WAV's are not known."""
    found = tuple(level_warnings(levels, facts.sample_rate_hz))
    return replace(
        facts,
        peak_dbfs=levels.peak_dbfs if facts.peak_dbfs is None else facts.peak_dbfs,
        levels=levels,
        warnings=(*(facts.warnings or ()), *found) if found else facts.warnings,
    )
