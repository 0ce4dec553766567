"""The header walk: from a WAV's first byte to the first byte of its audio, in constant memory. Pure.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64) and
ITU-R BS.2088 (BW64). Files in the wild break their rules; what is forgiven is said where it is forgiven.
"""

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from pigwav.audio.fmt import WavFormat, parse_fmt
from pigwav.errors import BadAudio, HeaderTooLong, NoDataChunk, NoFmtChunk, NotAWav, UnsupportedContainer

MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
"""Cover pictures and padding may stand before the audio; not more than this."""

_SKIP_BYTES: Final = 64 * 1024
_FMT_BYTES: Final = 40
_DS64_BYTES: Final = 28
_IN_DS64: Final = 0xFFFFFFFF
_WAVES: Final = (b"RIFF", b"RF64", b"BW64")
_RELATIVES: Final = {
    b"RIFX": "RIFX, the big-endian WAV",
    b"FFIR": "FFIR, a byte-swapped WAV",
    b"riff": "Sony Wave64",
    b"FORM": "AIFF",
}
_STRANGERS: Final = {
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
    """What precedes the audio. `data_offset` counts from the file's first byte to the audio's first.

    `declared_data_bytes` is None where the writer streamed and could not go back to fill in the size: then the audio
    goes on to the end of the file.
    """

    format: WavFormat
    data_offset: int
    declared_data_bytes: int | None

    @property
    def declared_samples(self) -> int | None:
        """Per channel."""
        if self.declared_data_bytes is None:
            return None
        return self.format.samples_in(self.declared_data_bytes)


class HeaderWalk:
    """Takes a WAV in blocks of any size until its header is complete."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._offset = 0
        self._lacks: BadAudio = NotAWav("The body is too short for a WAV file.")
        self._steps = self._walk()
        self._wanted_bytes = next(self._steps)

    def feed(self, block: bytes) -> WavHeader | None:
        """The header, as soon as its last byte has come: the audio begins in this block, or right after it.

        Raises BadAudio subclasses as soon as the header is known to be wrong. Not to be fed again after either.
        """
        self._held += block
        while len(self._held) >= self._wanted_bytes:
            taken = bytes(self._held[: self._wanted_bytes])
            del self._held[: self._wanted_bytes]
            self._offset += len(taken)
            try:
                self._wanted_bytes = self._steps.send(taken)
            except StopIteration as done:
                self._held.clear()
                header: WavHeader = done.value
                return header
        return None

    @property
    def lacking(self) -> BadAudio:
        """What to raise where the file ends before its audio begins."""
        return self._lacks

    def _walk(self) -> Generator[int, bytes, WavHeader]:
        """Yields how many bytes it wants next and is sent exactly so many."""
        _check_container((yield 12))
        self._lacks = NoFmtChunk()
        wav_format: WavFormat | None = None
        ds64_data_bytes: int | None = None
        odd = False
        while True:
            name, size_bytes = yield from self._chunk_head(after_odd=odd)
            odd = size_bytes % 2 == 1
            if name == b"data":
                if wav_format is None:
                    raise NoFmtChunk
                in_ds64 = size_bytes == _IN_DS64 and ds64_data_bytes is not None
                declared = _declared(ds64_data_bytes if in_ds64 and ds64_data_bytes else size_bytes)
                return WavHeader(wav_format, self._offset, declared)
            if self._offset + size_bytes > MAX_HEADER_BYTES:
                raise HeaderTooLong(f"The {_shown(name)} chunk before the audio claims {size_bytes} bytes.")
            if name == b"fmt " and wav_format is None:
                wav_format = parse_fmt((yield from self._body(size_bytes, _FMT_BYTES)))
                self._lacks = NoDataChunk()
            elif name == b"ds64":
                ds64_data_bytes = _ds64_data_bytes((yield from self._body(size_bytes, _DS64_BYTES)))
            else:
                yield from self._body(size_bytes, 0)

    def _chunk_head(self, *, after_odd: bool) -> Generator[int, bytes, tuple[bytes, int]]:
        """A chunk of odd size is followed by one byte of padding, which some writers forget or do not zero."""
        head = yield 8
        if after_odd and (head[0] == 0 or head[1:5] in (b"data", b"fmt ")):
            head = head[1:] + (yield 1)
        return head[:4], int.from_bytes(head[4:], "little")

    def _body(self, size_bytes: int, kept_bytes: int) -> Generator[int, bytes, bytes]:
        """The chunk's first `kept_bytes`, the rest of it passed by."""
        kept = min(size_bytes, kept_bytes)
        body = (yield kept) if kept else b""
        left = size_bytes - kept
        while left:
            left -= len((yield min(left, _SKIP_BYTES)))
        return body


def _check_container(head: bytes) -> None:
    magic, form = head[:4], head[8:]
    if magic in _WAVES:
        if form != b"WAVE":
            raise UnsupportedContainer(
                f"The body is a {_shown(magic)} file of the form {_shown(form)}, not WAVE."
            )
        return
    if magic in _RELATIVES:
        raise UnsupportedContainer(f"The body is {_RELATIVES[magic]}, which is not converted.")
    for start, name in _STRANGERS.items():
        if head.startswith(start):
            raise NotAWav(f"The body is a file of the kind {name}, not a RIFF/WAVE file.")
    raise NotAWav


def _declared(size_bytes: int) -> int | None:
    """None for what writers put there who cannot know the size yet.

    0 and 0xFFFFFFFF, less the header's size in some (ffmpeg, GStreamer, telephony); 0x7FFFF000 (SoX) to 0x80000000
    (arecord). A file of truly that size is converted just as well: to its end.
    """
    streamed = (
        size_bytes == 0
        or 0x7FFFF000 <= size_bytes <= 0x80000000
        or 0xFFFF0000 <= size_bytes <= 0xFFFFFFFF
        or size_bytes >= 1 << 63
    )
    return None if streamed else size_bytes


def _ds64_data_bytes(body: bytes) -> int | None:
    if len(body) < _DS64_BYTES:
        return None
    size_bytes: int = struct.unpack_from("<Q", body, 8)[0]
    return size_bytes


def _shown(name: bytes) -> str:
    return repr(name.decode("ascii", "backslashreplace"))
