"""Parses a WAV's header, from the first byte to the beginning of the audio, in constant memory. Pure.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64) and
ITU-R BS.2088 (BW64). Real files break their rules; comments in the code say which violations are accepted.
"""

import struct
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from pigwav.audio.chunks import MAX_CHUNKS, ChunkWalk, TagChunk, parse_head
from pigwav.audio.fmt import WavFormat, parse_fmt
from pigwav.audio.foreign_formats import HEAD_BYTES, is_wave, not_a_wav
from pigwav.audio.id3_reader import id3_size
from pigwav.errors import (
    BadAudio,
    ForeignBody,
    HeaderTooLong,
    NoAudio,
    NoDataChunk,
    NoFmtChunk,
)

MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
"""Limit for all bytes before the audio, such as cover pictures and padding."""

_FMT_BYTES: Final = 40
_CONTAINER_HEAD_BYTES: Final = 12
_ID3: Final = b"ID3\4\0" + bytes(7)
_DS64: Final = struct.Struct("<QQQI")
_DS64_ENTRY: Final = struct.Struct("<4sQ")
_DS64_BYTES: Final = _DS64.size + 64 * _DS64_ENTRY.size
_NAMES_AFTER_AUDIO: Final = frozenset(
    name.ljust(4)
    for name in b"LIST id3 ID3 bext iXML _PMX cue smpl inst fact PEAK JUNK junk PAD FLLR".split()
)
"""Chunks that writers put after the audio."""
_IN_DS64: Final = 0xFFFFFFFF


@dataclass(frozen=True)
class WavHeader:
    """The content of a WAV before its audio. `data_offset`: bytes from the file's first byte to the audio's first.

    `declared_data_bytes` is None if the writer streamed and could not go back to fill in the size: then the audio
    extends to the end of the file. `tag_chunks`: those before the audio. `has_second_fmt`: another `fmt ` chunk is
    before the audio; the first one counts.
    """

    format: WavFormat
    data_offset: int
    declared_data_bytes: int | None
    tag_chunks: tuple[TagChunk, ...] = ()
    has_second_fmt: bool = False

    @property
    def declared_samples(self) -> int | None:
        """Per channel."""
        if self.declared_data_bytes is None:
            return None
        return self.format.samples_in(self.declared_data_bytes)


@dataclass(frozen=True)
class _Sizes:
    """Sizes that the file declares: of everything after its first 8 bytes, and in RF64 of its audio and other chunks.

    A chunk whose size does not fit into 32 bits declares 0xFFFFFFFF, and has its size in the table `chunk_bytes`.
    """

    riff_bytes: int
    data_bytes: int | None = None
    chunk_bytes: Mapping[bytes, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, ds64: bytes) -> Self | None:
        """`ds64`: the beginning of the chunk's body (EBU Tech 3306); the table may be cut. None if too short."""
        if len(ds64) < _DS64.size:
            return None
        riff_bytes, data_bytes, _, entries = _DS64.unpack_from(ds64)
        table = ds64[_DS64.size :][: entries * _DS64_ENTRY.size]
        whole = table[: len(table) - len(table) % _DS64_ENTRY.size]
        return cls(riff_bytes, data_bytes, dict(_DS64_ENTRY.iter_unpack(whole)))

    def of_chunk(self, name: bytes, size_bytes: int) -> int:
        """The size of a chunk whose head declares `size_bytes`."""
        if size_bytes != _IN_DS64:
            return size_bytes
        if name == b"data" and self.data_bytes is not None:
            return self.data_bytes
        return self.chunk_bytes.get(name, size_bytes)


class HeaderWalk(ChunkWalk[WavHeader]):
    """Takes a WAV in blocks of any size until its header is complete."""

    def __init__(self) -> None:
        self._lacks: BadAudio = not_a_wav(b"")
        self._takes_less = True  # the walk can judge a body that ends before the bytes that it asks for
        self._begin = 0  # of the container
        self._has_id3 = False
        self._has_second_fmt = False
        self.at_audio = False
        """Whether the block that was fed last may contain audio: `data` declares 0 bytes, and the walk must read the
        next 8 bytes to decide whether another chunk follows.
        """
        super().__init__()

    def feed(self, block: bytes) -> WavHeader | None:
        """The header, as soon as it is complete. The audio begins right after this block, or in it, or, if the walk
        was `at_audio`, in an earlier block.

        Raises BadAudio subclasses as soon as the header is known to be wrong. Must not be called again afterwards.
        """
        return self._advance(block)

    def end(self) -> WavHeader:
        """For a file that ends before `feed` has returned a header. Returns the header if the file ends 1 to 7 bytes
        after the head of `data`; else raises the BadAudio subclass for what is missing.
        """
        header = self._advance_to_end() if self.at_audio or self._takes_less else None
        if header is None:
            raise self._lacks
        return header

    def _walk(self) -> Generator[int, bytes, WavHeader]:
        head = yield from self._container_head()
        if not is_wave(head):
            self._lacks = self._other_format(head)
            raise self._other_format(head + (yield HEAD_BYTES - len(head)))
        self._begin = self._offset - _CONTAINER_HEAD_BYTES
        self._takes_less, self._lacks = False, NoFmtChunk()
        sizes = _Sizes(int.from_bytes(head[4:8], "little"))
        wav_format: WavFormat | None = None
        odd = False
        for _ in range(MAX_CHUNKS):
            name, size_bytes = yield from self._chunk_head(after_odd=odd)
            size_bytes = sizes.of_chunk(name, size_bytes)
            odd = size_bytes % 2 == 1
            if name == b"data":
                if wav_format is None:
                    raise NoFmtChunk
                return (yield from self._data(wav_format, size_bytes, sizes))
            if self._offset + size_bytes > MAX_HEADER_BYTES:
                raise HeaderTooLong(f"The {_shown(name)} chunk before the audio claims {size_bytes} bytes.")
            if name == b"fmt " and wav_format is None:
                wav_format = parse_fmt((yield from self._body(size_bytes, _FMT_BYTES)))
                self._lacks = NoDataChunk()
            elif name == b"ds64":
                sizes = _Sizes.parse((yield from self._body(size_bytes, _DS64_BYTES))) or sizes
            else:
                self._has_second_fmt |= name == b"fmt "
                yield from self._pass(name, size_bytes)
        raise HeaderTooLong(f"There are more than {MAX_CHUNKS} chunks before the audio.")

    def _container_head(self) -> Generator[int, bytes, bytes]:
        """The head of the RIFF container. ID3v2 tags in front of it, which taggers for MP3 write, are read as tags."""
        head = yield _CONTAINER_HEAD_BYTES
        while (tag_bytes := id3_size(head)) is not None:
            self._has_id3, self._lacks = True, not_a_wav(_ID3)
            if self._offset + tag_bytes > MAX_HEADER_BYTES:
                raise self._lacks
            if tag_bytes < len(head):
                head = head[tag_bytes:] + (yield tag_bytes)
                continue
            left_bytes = tag_bytes - len(head)
            kept_bytes = max(0, self._tags.budget_bytes(b"id3 ") - len(head))
            self._tags.add(b"id3 ", head + (yield from self._body(left_bytes, kept_bytes)))
            head = yield _CONTAINER_HEAD_BYTES
        return head

    def _other_format(self, head: bytes) -> ForeignBody:
        """`head`: the first HEAD_BYTES, or fewer at the end of the file; after an ID3 tag, the body is an MP3."""
        return not_a_wav(_ID3 if self._has_id3 else head)

    def _data(
        self, wav_format: WavFormat, size_bytes: int, sizes: _Sizes
    ) -> Generator[int, bytes, WavHeader]:
        """The header ends here, or 8 bytes later if the audio may be empty. Raises NoAudio if it is empty."""
        data_offset = self._offset
        if size_bytes == 0:
            # A size of 0 means that the writer streamed, unless a known chunk follows and fits into the file.
            self.at_audio, self._lacks = True, NoAudio()
            next_name, next_bytes = parse_head((yield 8))
            self.at_audio = False
            fits = self._offset + next_bytes <= self._begin + 8 + (_declared(sizes.riff_bytes) or 0)
            if fits and next_name in _NAMES_AFTER_AUDIO:
                raise NoAudio
            if fits and next_name == b"data" and next_bytes:  # the first `data` chunk is empty
                data_offset, size_bytes = self._offset, next_bytes
        declared_bytes = _declared(size_bytes)
        return WavHeader(
            wav_format, data_offset, declared_bytes, self._tags.all(), has_second_fmt=self._has_second_fmt
        )


def _declared(size_bytes: int) -> int | None:
    """None for the sizes that writers use if they do not know the size yet:

    - 0 and 0xFFFFFFFF, in some minus the header's size (ffmpeg, GStreamer, telephony);
    - 0x7FFFF000 (SoX) to 0x80000000 (arecord).

    A file that really has such a size is converted to its end, with the same result.
    """
    streamed = (
        size_bytes == 0
        or 0x7FFFF000 <= size_bytes <= 0x80000000
        or 0xFFFF0000 <= size_bytes <= 0xFFFFFFFF
        or size_bytes >= 1 << 63
    )
    return None if streamed else size_bytes


def _shown(name: bytes) -> str:
    return repr(name.decode("ascii", "backslashreplace"))
