"""When and where an encoder run hands over to another one, so that one stream is encoded on several threads. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, Self

from pigwav.audio.mp3 import Mp3Format

_LOOKAHEAD_FRAMES: Final = 3
"""LAME reads so many frames of PCM beyond the frame that it returns."""


@dataclass(frozen=True)
class Segments:
    """The sizes for one stream, and the rule. Counts are in frames.

    A run that hands over still encodes one segment and the overlap. The next run begins with the overlap, which both
    encode and in which they are joined. It reads what arrives, until it hands over in turn.

    - `segment`: shorter ones use the threads better at the end; longer ones encode less twice.
    - `most_runs`: more runs at a time are not opened.
    - `extension`: a run that cannot be joined with the next one goes on by so many frames before the next try.
    """

    mp3: Mp3Format
    segment: int
    most_runs: int
    overlap: int = 48
    extension: int = 12

    @classmethod
    def for_threads(cls, mp3: Mp3Format, threads: int) -> Self:
        return cls(mp3, 784 if threads <= 2 else 392, most_runs=min(threads, 4))

    @property
    def frame_bytes(self) -> int:
        """Bytes of PCM in a frame."""
        return self.mp3.frame_samples * 2 * self.mp3.channels

    @property
    def reach(self) -> int:
        """How much PCM a run must have read until it has returned the whole overlap: LAME looks ahead, and holds
        frames back until the bit reservoir has no more room.
        """
        area_bytes = self.mp3.frame_bytes(self.mp3.bitrate_kbps) - 4 - self.mp3.side_info_bytes
        return self.overlap + _LOOKAHEAD_FRAMES + ceil(self.mp3.max_reservoir_bytes / area_bytes)

    @property
    def least(self) -> int:
        """A stream that is shorter is never encoded by two runs."""
        return self._multiple(self.segment) + self.reach

    def handover(self, read_bytes: int) -> int:
        """The frame with which the next run begins if a run that has read `read_bytes` hands over now."""
        return self._multiple(ceil(read_bytes / self.frame_bytes)) + self._multiple(self.segment)

    def opens(self, *, read_bytes: int, arrived_bytes: int, runs: int, idle_threads: int) -> bool:
        """Whether the newest run hands over: a whole segment waits for it, a thread is idle, and nobody waits.

        `read_bytes`, `arrived_bytes`: the position of the newest run and of the newest PCM in the stream.
        """
        whole = arrived_bytes // self.frame_bytes >= self.handover(read_bytes) + self.reach
        return whole and idle_threads > 0 and runs < self.most_runs

    def reads_ahead(self, *, held_bytes: int, runs: int, idle_threads: int) -> bool:
        """Whether more PCM is read while runs are still at work: only for a thread that is idle or will be.

        `idle_threads`: negative if calls wait for a thread.
        """
        has_a_use = idle_threads > 0 or (idle_threads == 0 and runs > 1)
        return self.most_runs > 1 and has_a_use and held_bytes < self.most_held_bytes

    @property
    def most_held_bytes(self) -> int:
        """PCM that is held for runs of one stream, but for one block."""
        return (self.most_runs + 1) * self.least * self.frame_bytes

    def _multiple(self, frames: int) -> int:
        """Rounded up to a multiple of the slot period."""
        return -(-frames // self.mp3.slot_period) * self.mp3.slot_period


SegmentsFactory = Callable[[Mp3Format, int], Segments]
"""Called with the number of threads."""
