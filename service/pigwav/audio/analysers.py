"""Facts that are computed from the PCM on its way to the encoder: an analyser each, and a field of `AudioFacts`."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from pigwav.audio.pcm import PcmFormat
from pigwav.domain import SILENCE_DBFS, AudioFacts


class Analyser(Protocol):
    """Sees the PCM of one recording. It runs in the encoder's hop: every upload takes its time and memory."""

    def feed(self, pcm: bytes) -> None:
        """Take a block: whole samples (see `PcmFormat`), in order; it may be empty."""

    def complete(self, facts: AudioFacts) -> AudioFacts:
        """`facts` with what was found in all blocks. Called once, after the last one."""


AnalyserFactory = Callable[[PcmFormat], Analyser]


class SamplePeak:
    """The largest magnitude of all samples of all channels, in dBFS: 0 is that of -32768."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        del pcm_format  # channels and rate do not matter here
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
