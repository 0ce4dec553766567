"""Joins the frames of two encoder runs over overlapping PCM to one stream of frames. Pure.

The frames of a run depend on each other: a frame's main data may begin in the frames before it (the bit reservoir), and
its windows overlap theirs. Two runs can be joined at a frame at which neither is noticed; nothing is encoded again.
Source: ISO/IEC 11172-3 2.4.1.7, 2.4.2.7 and 2.4.3.4, 13818-3 2.4.1.7.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from pigwav.audio.mp3 import Mp3Format

_SETTLING_FRAMES: Final = 4
"""The first frames of a run are not used: they hold the encoder's delay, and a window that saw silence before it."""
_HEADER_BYTES: Final = 4


class FrameBuffer:
    """Frames of one run, numbered as in the whole stream: appended at the end, taken from the beginning.

    A run begins on a multiple of the slot period. Therefore its frames have the sizes and the offsets that they would
    have in one long run.
    """

    def __init__(self, mp3: Mp3Format, first: int) -> None:
        self.mp3: Final = mp3
        self.first: Final = first
        self._start = mp3.frame_offset(first)
        self._frames = bytearray()

    def append(self, frames: bytes) -> None:
        self._frames += frames

    @property
    def start(self) -> int:
        """The number of the first frame that is here as a whole."""
        return self._frames_before(self._start - 1)

    @property
    def end(self) -> int:
        """The number of the first frame whose side information is not complete yet."""
        return self._frames_before(self._start + len(self._frames) - _HEADER_BYTES - self.mp3.side_info_bytes)

    def main_data_room(self, frame: int) -> int:
        """How many bytes of main data are here in front of the frame."""
        start = self.start
        overhead = (frame - start) * (_HEADER_BYTES + self.mp3.side_info_bytes)
        return self.mp3.frame_offset(frame) - self.mp3.frame_offset(start) - overhead

    def main_data_begin(self, frame: int) -> int:
        """How many bytes before the frame, headers and side information not counted, its main data begin."""
        at = self._index(frame) + _HEADER_BYTES
        if self.mp3.is_mpeg1:
            return self._frames[at] << 1 | self._frames[at + 1] >> 7
        return self._frames[at]

    def block_types(self, frame: int) -> tuple[int, ...]:
        """The window of each granule and channel: 0 normal, 1 start, 2 short, 3 stop."""
        at, mp3 = self._index(frame) + _HEADER_BYTES, self.mp3
        side_info = int.from_bytes(self._frames[at : at + mp3.side_info_bytes], "big")
        if mp3.is_mpeg1:
            granules, step, flag = 2, 59, 9 + (5 if mp3.channels == 1 else 3) + 4 * mp3.channels + 33
        else:
            granules, step, flag = 1, 63, 8 + mp3.channels + 38
        last = (
            8 * mp3.side_info_bytes - 1 - flag
        )  # the bit of the first window_switching_flag, counted from the end
        flags = range(last, last - step * granules * mp3.channels, -step)
        return tuple(side_info >> bit - 2 & 3 if side_info >> bit & 1 else 0 for bit in flags)

    def take_before(self, frame: int) -> bytes:
        """Removes and returns what precedes `frame`, as far as it is there."""
        return self._take(max(0, self._index(frame)))

    def take_all(self) -> bytes:
        return self._take(len(self._frames))

    def main_data_before(self, frame: int, count: int) -> bytes:
        """The last `count` bytes of main data in front of `frame`."""
        areas = [bytes(self._frames[area]) for area in self._areas_before(frame, count)]
        return b"".join(reversed(areas))

    def replace_main_data_before(self, frame: int, data: bytes) -> None:
        """Makes `data` the last bytes of main data in front of `frame`."""
        end = len(data)
        for area in self._areas_before(frame, len(data)):
            size = area.stop - area.start
            self._frames[area] = data[end - size : end]
            end -= size

    def _areas_before(self, frame: int, count: int) -> Iterator[slice]:
        """Where the last `count` bytes of main data in front of `frame` are; the last of them first."""
        while count:
            stop = self._index(frame)
            frame -= 1
            area = self._index(frame) + _HEADER_BYTES + self.mp3.side_info_bytes
            start = max(area, stop - count)
            yield slice(start, stop)
            count -= stop - start

    def _frames_before(self, offset: int) -> int:
        """How many frames of the stream begin at this offset or before it."""
        most = max(0, offset) // self.mp3.frame_bytes(self.mp3.bitrate_kbps) + 2
        return bisect_right(range(most), offset, key=self.mp3.frame_offset)

    def _index(self, frame: int) -> int:
        return self.mp3.frame_offset(frame) - self._start

    def _take(self, count: int) -> bytes:
        taken = bytes(self._frames[:count])
        del self._frames[:count]
        self._start += len(taken)
        return taken


SeamRule = Callable[[FrameBuffer, FrameBuffer], int | None]
"""See find_seam."""


def find_seam(earlier: FrameBuffer, later: FrameBuffer) -> int | None:
    """The best frame from which on the frames of `later` can follow those of `earlier`; None if there is none.

    - The later run's main data must fit into the bytes that the earlier run has left for its own.
    - These bytes, and the frame before, must still be here: if the earlier run itself was joined late, they are not.
    - Both runs must have the same windows in the frame and in the one before, so that their overlaps fit.

    A seam that leaves fewer bytes unused is better; of two equal ones the later, because its run has settled.
    """
    best: int | None = None
    least: int | None = None
    first = max(later.first + _SETTLING_FRAMES, earlier.start)
    for frame in range(min(earlier.end, later.end) - 1, first, -1):
        wanted = later.main_data_begin(frame)
        unused = earlier.main_data_begin(frame) - wanted
        if (
            unused >= 0
            and (least is None or unused < least)
            and wanted <= earlier.main_data_room(frame)
            and earlier.block_types(frame) == later.block_types(frame)
            and earlier.block_types(frame - 1) == later.block_types(frame - 1)
        ):
            best, least = frame, unused
            if unused == 0:
                break
    return best


def join(earlier: FrameBuffer, later: FrameBuffer, seam: int) -> bytes:
    """Takes the frames of `earlier` before `seam`, which then contain the beginning of the main data of `later`.

    After that, `later` begins with `seam`.
    """
    earlier.replace_main_data_before(seam, later.main_data_before(seam, later.main_data_begin(seam)))
    later.take_before(seam)
    return earlier.take_before(seam)
