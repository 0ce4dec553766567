"""RIFF chunks, in blocks of any size and in constant memory: where each begins, and those that carry tags. Pure.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 2.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_TAG_CHUNK_BYTES: Final = 64 * 1024
MAX_TAGS_BYTES: Final = 128 * 1024
"""A thousand open uploads may hold so much each. Pictures stand behind the texts, mostly."""

MAX_TAG_CHUNKS: Final = 64
MAX_CHUNKS: Final = 65_536
"""On either side of the audio. Some writers fill a gap with zeros, each eight of which are an empty chunk."""

_HEAD_BYTES: Final = 8
_SKIP_BYTES: Final = 64 * 1024
_TAG_NAMES: Final = (b"LIST", b"id3 ", b"ID3 ", b"bext")
KNOWN_NAMES: Final = frozenset(
    name.ljust(4)
    for name in (
        b"data fmt fact LIST id3 ID3 bext iXML aXML axml _PMX chna cart ds64 cue smpl inst acid strc plst note labl "
        b"DISP PEAK JUNK junk PAD FLLR Fake afsp levl link umid MD5 LGWV minf elm1 regn AFAn AFmd ResU SAUR DGDA slnt"
    ).split()
)
"""What recorders, editors and broadcasters write."""


@dataclass(frozen=True)
class TagChunk:
    """A chunk that tells what the recording is. `body`: from its first byte on, of a LIST the form `INFO` too.

    It may be cut: at MAX_TAG_CHUNK_BYTES, where all of a WAV's together reach MAX_TAGS_BYTES, where the file ends.
    """

    name: bytes
    body: bytes


class TagChunks:
    """Those found so far, within limits."""

    def __init__(self) -> None:
        self._found: list[TagChunk] = []
        self._budget_bytes = MAX_TAGS_BYTES

    def budget_bytes(self, name: bytes) -> int:
        """How much of a chunk of this name is wanted."""
        wanted = name in _TAG_NAMES and len(self._found) < MAX_TAG_CHUNKS
        return min(self._budget_bytes, MAX_TAG_CHUNK_BYTES) if wanted else 0

    def add(self, name: bytes, body: bytes) -> None:
        """`body`: as many bytes as the tag budget allowed."""
        if body and (name != b"LIST" or body.startswith(b"INFO")):
            self._found.append(TagChunk(name, body))
            self._budget_bytes -= len(body)

    def all(self) -> tuple[TagChunk, ...]:
        return tuple(self._found)


class ChunkWalk(ABC, Generic[T]):
    """A parser of chunks, written as a generator, that takes blocks of any size."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._offset = 0
        self._tags = TagChunks()
        self._steps = self._walk()
        self._wanted_bytes = next(self._steps)

    @abstractmethod
    def _walk(self) -> Generator[int, bytes, T]:
        """Yields how many bytes it wants next, and is sent exactly so many; fewer only where the file ends."""

    def _advance(self, block: bytes) -> T | None:
        """What the walk answers, once it has come to its end. What is left of `block` then is dropped."""
        self._held += block
        while len(self._held) >= self._wanted_bytes:
            taken = bytes(self._held[: self._wanted_bytes])
            del self._held[: self._wanted_bytes]
            if ended := self._send(taken):
                return ended
        return None

    def _send(self, taken: bytes) -> T | None:
        self._offset += len(taken)
        try:
            self._wanted_bytes = self._steps.send(taken)
        except StopIteration as done:
            self._held.clear()
            answer: T = done.value
            return answer
        return None

    def _advance_to_end(self) -> T | None:
        """The file has ended: the walk is sent what it has not been sent yet. May be repeated."""
        left = bytes(self._held)
        self._held.clear()
        return self._send(left) if left else None

    def _chunk_head(self, *, after_odd: bool) -> Generator[int, bytes, tuple[bytes, int]]:
        """Name and size of the next chunk."""
        head = yield _HEAD_BYTES
        if _begins_later(head, after_odd=after_odd):
            head = head[1:] + (yield 1)
        if gap_bytes := _gap_bytes(head):
            head = head[gap_bytes:] + (yield gap_bytes)
        return parse_head(head)

    def _pass(self, name: bytes, size_bytes: int) -> Generator[int, bytes, None]:
        """Go to the chunk's end, and keep its beginning if it carries tags."""
        budget_bytes = self._tags.budget_bytes(name)
        body = yield from self._body(size_bytes, budget_bytes)
        if budget_bytes:
            self._tags.add(name, body)

    def _body(self, size_bytes: int, kept_bytes: int) -> Generator[int, bytes, bytes]:
        """The chunk's first `kept_bytes`, the rest of it passed by."""
        kept = min(size_bytes, kept_bytes)
        body = (yield kept) if kept else b""
        left = size_bytes - kept
        while left:
            left -= len((yield min(left, _SKIP_BYTES)))
        return body


class TailWalk(ChunkWalk[None]):
    """What lies behind the audio. Whatever it is, it raises nothing: junk has no tags."""

    def __init__(self, *, after_odd: bool) -> None:
        """`after_odd`: whether the audio's size is odd, so that a byte of padding should follow."""
        self._after_odd = after_odd
        super().__init__()

    def feed(self, block: bytes) -> None:
        self._advance(block)

    def end(self) -> tuple[TagChunk, ...]:
        """The tags, once the file has ended. Not to be fed again."""
        self._advance_to_end()
        self._steps.close()  # it would go on for ever, and hold all this
        return self._tags.all()

    def _walk(self) -> Generator[int, bytes, None]:
        odd = self._after_odd
        for _ in range(MAX_CHUNKS):
            name, size_bytes = yield from self._chunk_head(after_odd=odd)
            odd = size_bytes % 2 == 1
            yield from self._pass(name, size_bytes)
        while True:
            yield _SKIP_BYTES


def parse_head(head: bytes) -> tuple[bytes, int]:
    """Name and size."""
    return head[:4], int.from_bytes(head[4:], "little")


def _begins_later(head: bytes, *, after_odd: bool) -> bool:
    """Whether the chunk begins one byte later.

    A chunk of odd size is followed by one byte of padding, which some writers forget and some do not zero; some put
    one where it should not be. A known name decides, else whether the byte can belong to a name at all.
    """
    if head[:4] in KNOWN_NAMES or head[1:5] in KNOWN_NAMES:
        return head[:4] not in KNOWN_NAMES
    return after_odd and not 0x20 <= head[0] <= 0x7E


def _gap_bytes(head: bytes) -> int:
    """How many zeros stand before the chunk: some writers fill up with them, and not always by eights.

    A known name behind them tells, and so does a letter where the highest byte of a size would be: no chunk is as
    long as that.
    """
    zeros = len(head) - len(head.lstrip(b"\0"))
    if len(head) < _HEAD_BYTES or zeros == _HEAD_BYTES:
        return 0
    named = head[zeros : zeros + 4] in KNOWN_NAMES or (zeros >= 4 and 0x20 <= head[-1] <= 0x7E)
    return zeros if named else 0
