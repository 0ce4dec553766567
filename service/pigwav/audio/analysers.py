"""Facts that are computed from the PCM on its way to the encoder: an analyser each, and a field of `AudioFacts`."""

from collections.abc import Callable
from typing import Final, Protocol

from pigwav.audio.pcm import PcmFormat
from pigwav.domain import AudioFacts


class Analyser(Protocol):
    """Sees the PCM of one recording. It runs in the encoder's hop: every upload takes its time and memory."""

    def feed(self, pcm: bytes) -> None:
        """Take a block: whole samples (see `PcmFormat`), in order; it may be empty."""

    def complete(self, facts: AudioFacts) -> AudioFacts:
        """`facts` with what was found in all blocks. Called once, after the last one."""


AnalyserFactory = Callable[[PcmFormat], Analyser]

ANALYSERS: Final[tuple[AnalyserFactory, ...]] = ()
"""What every conversion computes."""
