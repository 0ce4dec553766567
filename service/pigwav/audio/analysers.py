"""Analysers: each computes one field of `AudioFacts` from the PCM that goes to the encoder."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from pigwav.audio.pcm import PcmFormat
from pigwav.domain import SILENCE_DBFS, AudioFacts


class Analyser(Protocol):
    """Reads the PCM of one recording, in the same executor call as the encoder: it costs time and memory per upload."""

    def feed(self, pcm: bytes) -> None:
        """Takes the next block: whole samples (see `PcmFormat`); it may be empty."""

    def complete(self, facts: AudioFacts) -> AudioFacts:
        """`facts` with this analyser's field set. Called once, after the last block."""


AnalyserFactory = Callable[[PcmFormat], Analyser]


class SamplePeak:
    """The largest magnitude of all samples of all channels, in dBFS: 0 dBFS is the magnitude of -32768."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        del pcm_format  # the peak does not depend on channels and sample rate
        self._peak = 0

    def feed(self, pcm: bytes) -> None:
        if pcm:
            samples = np.frombuffer(pcm, "<i2")
            self._peak = max(self._peak, int(samples.max()), -int(samples.min()))

    def complete(self, facts: AudioFacts) -> AudioFacts:
        return replace(facts, peak_dbfs=dbfs(self._peak))


def dbfs(magnitude: int) -> float:
    """A 16-bit sample's magnitude, 0 to 32768, in dB below full scale, to hundredths."""
    return (
        round(20 * math.log10(magnitude / 32_768), 2) + 0.0 if magnitude else SILENCE_DBFS
    )  # + 0.0: no -0.0


ANALYSERS: Final[tuple[AnalyserFactory, ...]] = (SamplePeak,)
"""Every conversion runs these."""
