"""A parser of RIFF chunks: finds where each begins and stores those that carry tags. Pure.

It takes blocks of any size and needs constant memory.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 2.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_TAG_CHUNK_BYTES: Final = 64 * 1024
MAX_TAGS_BYTES: Final = 128 * 1024
"""Per WAV: a thousand open uploads may each hold this much. Pictures, which may be cut, mostly follow the texts."""

MAX_TAG_CHUNKS: Final = 64
MAX_CHUNKS: Final = 65_536
"""Before the audio, and again after it. Some writers fill a gap with zeros: every 8 zeros parse as an empty chunk."""

_HEAD_BYTES: Final = 8
_SKIP_BYTES: Final = 64 * 1024
_TAG_NAMES: Final = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"CSET")
WAVE_MAGICS: Final = (b"RIFF", b"RF64", b"BW64")
KNOWN_NAMES: Final = frozenset(
    name.ljust(4)
    for name in (
        b"RIFF RF64 BW64 "
        b"data fmt fact LIST CSET id3 ID3 bext iXML aXML axml _PMX chna cart ds64 cue smpl inst acid strc plst note "
        b"labl DISP PEAK JUNK junk PAD FLLR Fake afsp levl link umid MD5 LGWV minf elm1 regn AFAn AFmd ResU SAUR DGDA "
        b"slnt"
    ).split()
)
"""Names of chunks that recorders, editors and broadcasters write."""


@dataclass(frozen=True)
class TagChunk:
    """A chunk that carries tags, or states their encoding (CSET).

    `body`: its bytes after name and size; the body of a LIST begins with `INFO`.

    `body` may be cut: at MAX_TAG_CHUNK_BYTES, when all tag chunks of the WAV reach MAX_TAGS_BYTES, or at the end of
    the file.
    """

    name: bytes
    body: bytes


class TagChunks:
    """The tag chunks found so far, within the limits above."""

    def __init__(self) -> None:
        self._found: list[TagChunk] = []
        self._budget_bytes = MAX_TAGS_BYTES

    def budget_bytes(self, name: bytes) -> int:
        """How many bytes to read of the body of a chunk with this name; 0 if it carries no tags."""
        wanted = name in _TAG_NAMES and len(self._found) < MAX_TAG_CHUNKS
        return min(self._budget_bytes, MAX_TAG_CHUNK_BYTES) if wanted else 0

    def add(self, name: bytes, body: bytes) -> None:
        """`body`: at most `budget_bytes(name)` bytes."""
        if body and (name != b"LIST" or body.startswith(b"INFO")):
            self._found.append(TagChunk(name, body))
            self._budget_bytes -= len(body)

    def all(self) -> tuple[TagChunk, ...]:
        return tuple(self._found)


class ChunkWalk(ABC, Generic[T]):
    """A chunk parser that takes blocks of any size. A subclass writes it as a generator (`_walk`)."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._offset = 0
        self._tags = TagChunks()
        self._steps = self._walk()
        self._wanted_bytes = next(self._steps)

    @abstractmethod
    def _walk(self) -> Generator[int, bytes, T]:
        """Yields how many bytes it needs next and is sent exactly that many; fewer only at the end of the file."""

    def _advance(self, block: bytes) -> T | None:
        """Feeds `block` to the walk. Returns its result when it ends (the rest of `block` is dropped), else None."""
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
        """At the end of the file: sends the walk the bytes that are left. May be called again."""
        left = bytes(self._held)
        self._held.clear()
        return self._send(left) if left else None

    def _chunk_head(self, *, after_odd: bool) -> Generator[int, bytes, tuple[bytes, int]]:
        """Name and size in bytes of the next chunk."""
        head = yield _HEAD_BYTES
        if _begins_later(head, after_odd=after_odd):
            head = head[1:] + (yield 1)
        if gap_bytes := _gap_bytes(head):
            head = head[gap_bytes:] + (yield gap_bytes)
        return parse_head(head)

    def _pass(self, name: bytes, size_bytes: int) -> Generator[int, bytes, None]:
        """Skips the chunk; if it carries tags, stores its beginning."""
        budget_bytes = self._tags.budget_bytes(name)
        body = yield from self._body(size_bytes, budget_bytes)
        if budget_bytes:
            self._tags.add(name, body)

    def _body(self, size_bytes: int, kept_bytes: int) -> Generator[int, bytes, bytes]:
        """Returns the chunk's first `kept_bytes` and skips the rest."""
        kept = min(size_bytes, kept_bytes)
        body = (yield kept) if kept else b""
        left = size_bytes - kept
        while left:
            left -= len((yield min(left, _SKIP_BYTES)))
        return body


@dataclass(frozen=True)
class Tail:
    """What follows the audio: tag chunks, and bytes that may be audio, but are not converted.

    `second_data_bytes`: in further `data` chunks. `second_file_bytes`: from the head of another WAV to the end.
    `unknown_bytes`: from the first bytes that cannot be a chunk to the end.
    """

    tag_chunks: tuple[TagChunk, ...] = ()
    second_data_bytes: int = 0
    second_file_bytes: int = 0
    unknown_bytes: int = 0


class TailWalk(ChunkWalk[None]):
    """Walks the bytes after the audio. Never raises: if they are not chunks, no tags are found."""

    def __init__(self, *, after_odd: bool) -> None:
        """`after_odd`: whether the audio's size is odd; if so, a byte of padding should follow."""
        self._after_odd = after_odd
        self._fed_bytes = 0
        self._ended = False
        self._data: list[tuple[int, int]] = []  # where the body of each begins, and its size
        self._file_at: int | None = None
        self._unknown_at: int | None = None
        super().__init__()

    def feed(self, block: bytes) -> None:
        self._fed_bytes += len(block)
        self._advance(block)

    def end(self) -> Tail:
        """Call it at the end of the file. `feed` must not be called afterwards."""
        self._ended = True
        self._advance_to_end()
        self._steps.close()  # the generator never ends by itself, and would keep its data alive
        return Tail(
            self._tags.all(),
            sum(max(0, min(size_bytes, self._fed_bytes - at)) for at, size_bytes in self._data),
            self._bytes_from(self._file_at),
            self._bytes_from(self._unknown_at),
        )

    def _bytes_from(self, at: int | None) -> int:
        return 0 if at is None else self._fed_bytes - at

    def _walk(self) -> Generator[int, bytes, None]:
        odd = self._after_odd
        for _ in range(MAX_CHUNKS):
            name, size_bytes = yield from self._chunk_head(after_odd=odd)
            if self._ended:  # it is not a whole head
                break
            if name in WAVE_MAGICS:
                self._file_at = self._offset - _HEAD_BYTES
                break
            self._note(name, size_bytes)
            odd = size_bytes % 2 == 1
            yield from self._pass(name, size_bytes)
        while True:
            yield _SKIP_BYTES

    def _note(self, name: bytes, size_bytes: int) -> None:
        if name == b"data" and self._unknown_at is None and len(self._data) < MAX_TAG_CHUNKS:
            self._data.append((self._offset, size_bytes))
        elif self._unknown_at is None and name.strip(b"\0") and not _can_be_name(name):
            self._unknown_at = self._offset - _HEAD_BYTES


def _can_be_name(name: bytes) -> bool:
    """Printable ASCII, as RIFF requires; some writers fill up with NUL."""
    return all(0x20 <= byte <= 0x7E for byte in name.rstrip(b"\0"))


def parse_head(head: bytes) -> tuple[bytes, int]:
    """Name and size in bytes."""
    return head[:4], int.from_bytes(head[4:], "little")


def _begins_later(head: bytes, *, after_odd: bool) -> bool:
    """Whether the chunk begins one byte later.

    One byte of padding follows a chunk of odd size. Some writers forget it, some do not set it to zero, and some also
    write it after a chunk of even size. If a known name begins at either byte, it decides; if not, there is padding if
    the size was odd and the byte cannot belong to a name.
    """
    if head[:4] in KNOWN_NAMES or head[1:5] in KNOWN_NAMES:
        return head[:4] not in KNOWN_NAMES
    return after_odd and not 0x20 <= head[0] <= 0x7E


def _gap_bytes(head: bytes) -> int:
    """How many zero bytes precede the chunk: some writers fill up with zeros, not always a multiple of eight.

    Zeros are a gap if a known name follows them, or if the byte at the highest position of the size is printable: no
    chunk is that long.
    """
    zeros = len(head) - len(head.lstrip(b"\0"))
    if len(head) < _HEAD_BYTES or zeros == _HEAD_BYTES:
        return 0
    named = head[zeros : zeros + 4] in KNOWN_NAMES or (zeros >= 4 and 0x20 <= head[-1] <= 0x7E)
    return zeros if named else 0
