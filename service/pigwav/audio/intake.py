"""Hashes the WAV's bytes, cuts out the audio, and finds tags after it."""

from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import sha256
from typing import Final

from pigwav.audio.chunks import Tail, TailWalk
from pigwav.audio.fmt import WavFormat
from pigwav.audio.wav import WavHeader

_JOINED: Final = 64
"""Blocks: each is an object with 40 bytes of its own, and a client may send single bytes."""


class Intake:
    """Takes a WAV's bytes in order: hashes all, returns the audio in whole samples or packets, finds tags after it.

    One call at a time. Call `skip` and `take` in the cpu executor.
    """

    def __init__(self) -> None:
        self._hash = sha256()
        self._format: WavFormat | None = None
        self._before_audio_bytes = 0
        self._audio_left_bytes: int | None = None
        self._tail: TailWalk | None = None
        self._cut = b""
        self.wav_bytes = 0
        self.audio_bytes = 0

    def skip(self, block: bytes) -> None:
        """Takes bytes that are all before the audio."""
        self._hash.update(block)
        self.wav_bytes += len(block)

    def begin(self, header: WavHeader, data_bytes: int | None) -> None:
        """Sets the position, the format and the size of the audio; `take` needs them. `data_bytes` None: the audio
        extends to the end of the file.
        """
        self._format = header.format
        self._before_audio_bytes = header.data_offset - self.wav_bytes
        self._audio_left_bytes = data_bytes
        if data_bytes is not None:
            self._tail = TailWalk(after_odd=data_bytes % 2 == 1)

    def take(self, batch: bytes) -> bytes:
        """The audio in `batch`, up to the last whole sample or packet, preceded by the rest of the previous batch."""
        if self._format is None:
            raise RuntimeError("Intake.take before Intake.begin")
        self.skip(batch)
        start = min(self._before_audio_bytes, len(batch))
        stop = (
            len(batch) if self._audio_left_bytes is None else min(len(batch), start + self._audio_left_bytes)
        )
        self._before_audio_bytes -= start
        if self._audio_left_bytes is not None:
            self._audio_left_bytes -= stop - start
        self.audio_bytes += stop - start
        if self._tail and stop < len(batch):
            self._tail.feed(batch[stop:])
        audio = self._cut + batch[start:stop] if self._cut else batch[start:stop]
        whole = len(audio) - len(audio) % self._format.cut_bytes
        self._cut = audio[whole:]
        return audio[:whole]

    @property
    def samples(self) -> int:
        """Per channel, in the audio received so far."""
        return self._format.samples_in(self.audio_bytes) if self._format else 0

    def tail(self) -> Tail:
        """What follows the audio; call it at the end of the WAV. Empty if the audio extends to the end of the file."""
        return self._tail.end() if self._tail else Tail()

    def wav_sha256(self) -> bytes:
        return self._hash.digest()


async def batches(first: bytes, rest: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of `size_bytes`; only the last may be shorter.

    While it waits for `rest`, it holds less than one such block: a thousand slow uploads may wait.
    """
    held = _Blocks()
    held.append(first)
    del first
    while True:
        while len(held) >= size_bytes:
            yield held.take(size_bytes)
        block = await anext(rest, None)
        if block is None:
            break
        held.append(block)
        del block
    if len(held):
        yield held.take(len(held))


class _Blocks:
    """The bytes that have arrived and are not taken yet. A bytearray would hold up to twice as much."""

    def __init__(self) -> None:
        self._size_bytes = 0
        self._older: list[bytes] = []
        self._newest: list[bytes] = []

    def __len__(self) -> int:
        return self._size_bytes

    def append(self, block: bytes) -> None:
        self._size_bytes += len(block)
        self._newest.append(block)
        if len(self._newest) == _JOINED:
            self._older.append(b"".join(self._newest))
            self._newest.clear()

    def take(self, count: int) -> bytes:
        """Removes and returns the first `count` bytes."""
        joined = b"".join((*self._older, *self._newest))
        self.clear()
        if rest := joined[count:]:
            self.append(rest)
        return joined[:count]

    def clear(self) -> None:
        self._size_bytes = 0
        self._older.clear()
        self._newest.clear()
