"""Analysers: each computes fields of `AudioFacts` from the PCM that goes to the encoder."""

from collections.abc import Callable
from typing import Final, Protocol

from pigwav.audio.levels import LevelMeter
from pigwav.audio.pcm import PcmFormat
from pigwav.domain import AudioFacts


class Analyser(Protocol):
    """Reads the PCM of one recording, in the same executor call as the encoder: it costs time and memory per upload."""

    def feed(self, pcm: bytes) -> None:
        """Takes the next block: whole samples (see `PcmFormat`); it may be empty."""

    def complete(self, facts: AudioFacts) -> AudioFacts:
        """`facts` with this analyser's fields set. Called once, after the last block."""


AnalyserFactory = Callable[[PcmFormat], Analyser]


ANALYSERS: Final[tuple[AnalyserFactory, ...]] = (LevelMeter,)
"""Every conversion runs these."""
