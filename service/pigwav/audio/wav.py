"""Parses a WAV's header, from the first byte to the beginning of the audio, in constant memory. Pure.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64) and
ITU-R BS.2088 (BW64). Real files break their rules; comments in the code say which violations are accepted.
"""

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from pigwav.audio.chunks import MAX_CHUNKS, ChunkWalk, TagChunk, parse_head
from pigwav.audio.fmt import WavFormat, parse_fmt
from pigwav.errors import (
    BadAudio,
    HeaderTooLong,
    NoAudio,
    NoDataChunk,
    NoFmtChunk,
    NotAWav,
    UnsupportedContainer,
)

MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
"""Limit for all bytes before the audio, such as cover pictures and padding."""

_FMT_BYTES: Final = 40
_DS64_BYTES: Final = 28
_NAMES_AFTER_AUDIO: Final = frozenset(
    name.ljust(4)
    for name in b"LIST id3 ID3 bext iXML _PMX cue smpl inst fact PEAK JUNK junk PAD FLLR".split()
)
"""Chunks that writers put after the audio."""
_IN_DS64: Final = 0xFFFFFFFF
_WAVES: Final = (b"RIFF", b"RF64", b"BW64")
_RELATIVES: Final = {
    b"RIFX": "RIFX, the big-endian WAV",
    b"FFIR": "FFIR, a byte-swapped WAV",
    b"riff": "Sony Wave64",
    b"FORM": "AIFF",
}
_OTHER_FORMATS: Final = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"caff": "Core Audio",
    b"#!AMR": "AMR",
    b".snd": "Sun audio",
    b"\x1aE\xdf\xa3": "Matroska",
}


@dataclass(frozen=True)
class WavHeader:
    """The content of a WAV before its audio. `data_offset`: bytes from the file's first byte to the audio's first.

    `declared_data_bytes` is None if the writer streamed and could not go back to fill in the size: then the audio
    extends to the end of the file. `tag_chunks`: those before the audio.
    """

    format: WavFormat
    data_offset: int
    declared_data_bytes: int | None
    tag_chunks: tuple[TagChunk, ...] = ()

    @property
    def declared_samples(self) -> int | None:
        """Per channel."""
        if self.declared_data_bytes is None:
            return None
        return self.format.samples_in(self.declared_data_bytes)


@dataclass(frozen=True)
class _Sizes:
    """Sizes that the file declares: of everything after its first 8 bytes, and (RF64) of its audio."""

    riff_bytes: int
    data_bytes: int | None = None


class HeaderWalk(ChunkWalk[WavHeader]):
    """Takes a WAV in blocks of any size until its header is complete."""

    def __init__(self) -> None:
        self._lacks: BadAudio = NotAWav("The body is too short for a WAV file.")
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
        header = self._advance_to_end() if self.at_audio else None
        if header is None:
            raise self._lacks
        return header

    def _walk(self) -> Generator[int, bytes, WavHeader]:
        head = yield 12
        _check_container(head)
        self._lacks = NoFmtChunk()
        sizes = _Sizes(int.from_bytes(head[4:8], "little"))
        wav_format: WavFormat | None = None
        odd = False
        for _ in range(MAX_CHUNKS):
            name, size_bytes = yield from self._chunk_head(after_odd=odd)
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
                body = yield from self._body(size_bytes, _DS64_BYTES)
                if len(body) == _DS64_BYTES:
                    sizes = _Sizes(*struct.unpack_from("<QQ", body))
            else:
                yield from self._pass(name, size_bytes)
        raise HeaderTooLong(f"There are more than {MAX_CHUNKS} chunks before the audio.")

    def _data(
        self, wav_format: WavFormat, size_bytes: int, sizes: _Sizes
    ) -> Generator[int, bytes, WavHeader]:
        """The header ends here, or 8 bytes later if the audio may be empty. Raises NoAudio if it is empty."""
        data_offset = self._offset
        if size_bytes == _IN_DS64 and sizes.data_bytes is not None:
            size_bytes = sizes.data_bytes
        if size_bytes == 0:
            # A size of 0 means that the writer streamed, unless a known chunk follows and fits into the file.
            self.at_audio, self._lacks = True, NoAudio()
            next_name, next_bytes = parse_head((yield 8))
            self.at_audio = False
            end_bytes = 8 + (_declared(sizes.riff_bytes) or 0)
            if next_name in _NAMES_AFTER_AUDIO and self._offset + next_bytes <= end_bytes:
                raise NoAudio
        return WavHeader(wav_format, data_offset, _declared(size_bytes), self._tags.all())


def _check_container(head: bytes) -> None:
    magic, form = head[:4], head[8:]
    if magic in _WAVES:
        if form != b"WAVE":
            raise UnsupportedContainer(
                f"The body is a {_shown(magic)} file of the form {_shown(form)}, not WAVE."
            )
        return
    if magic in _RELATIVES:
        raise UnsupportedContainer(f"The body is {_RELATIVES[magic]}, which is not supported.")
    for start, name in _OTHER_FORMATS.items():
        if head.startswith(start):
            raise NotAWav(f"The body is a file of type {name}, not a RIFF/WAVE file.")
    raise NotAWav


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
