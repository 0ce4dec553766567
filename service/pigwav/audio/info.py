"""The MP3's first frame: silence that carries the Xing/Info and LAME tags. Pure.

It tells players the length, the seek points, and how many samples to cut off at both ends, so that they play exactly
the samples of the WAV. Source: LAME's VbrTag.c and the "Mp3 Info Tag revision 1" specification.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from pigwav.audio.mp3 import ENCODER_DELAY, FrameHeader, Mp3Format, Mp3Shape

_XING_BYTES: Final = 120  # name, flags, frames, bytes, 100 seek points, quality
_LAME_BYTES: Final = 36
_SEEK_POINTS: Final = 100
_ALL_FIELDS: Final = 0x0F
_CONSTANT_BIT_RATE: Final = 1
_MAX_BYTES: Final = 0xFFFFFFFF
_LAME: Final = b"LAME3.100"
"""The version that every tag reader understands: some skip the delay of a version they cannot parse."""


def info_frame_bytes(mp3: Mp3Format) -> int:
    """The first frame's size. It does not depend on its content."""
    return mp3.frame_bytes(_info_kbps(mp3))


def blank_frame(mp3: Mp3Format) -> bytes:
    """A silent frame of the first frame's size, a placeholder for it."""
    return mp3.header(_info_kbps(mp3)).ljust(info_frame_bytes(mp3), b"\0")


def info_frame(mp3: Mp3Format, shape: Mp3Shape, *, lame_quality: int) -> bytes:
    """The first frame of an MP3 whose audio frames have this shape."""
    kbps = _info_kbps(mp3)
    size_bytes = mp3.frame_bytes(kbps)
    total_bytes = min(size_bytes + shape.audio_bytes, _MAX_BYTES)
    before_crc = b"".join(
        (
            mp3.header(kbps),
            bytes(mp3.side_info_bytes),
            struct.pack(">4sIII", b"Info", _ALL_FIELDS, shape.frames, total_bytes),
            _seek_points(mp3, shape, size_bytes),
            struct.pack(">I", 60 - lame_quality),  # 100 - 10 * VBR quality (LAME's default: 4) - quality
            _lame_tag(mp3, shape, total_bytes),
        )
    )
    return (before_crc + crc16(before_crc).to_bytes(2, "big")).ljust(size_bytes, b"\0")


def _info_kbps(mp3: Mp3Format) -> int:
    """The first frame's bit rate: a higher one than the stream's if the stream's frames are too small for the tags."""
    return mp3.smallest_frame_kbps(4 + mp3.side_info_bytes + _XING_BYTES + _LAME_BYTES)


def _seek_points(mp3: Mp3Format, shape: Mp3Shape, first_bytes: int) -> bytes:
    """The byte positions of 0 to 99 % of the playing time, in 256ths of the MP3's size."""
    total_bytes = first_bytes + shape.audio_bytes
    offsets = (first_bytes + mp3.frame_offset(i * shape.frames // _SEEK_POINTS) for i in range(_SEEK_POINTS))
    return bytes(min(255, offset * 256 // total_bytes) for offset in offsets)


def _lame_tag(mp3: Mp3Format, shape: Mp3Shape, total_bytes: int) -> bytes:
    """The LAME tag without its CRC. Lowpass, gains, flags, preset and the CRC of the music are 0: unknown."""
    return b"".join(
        (
            _LAME,
            bytes((_CONSTANT_BIT_RATE, 0)),
            bytes(9),
            bytes((min(mp3.bitrate_kbps, 255),)),
            (ENCODER_DELAY << 12 | shape.padding).to_bytes(3, "big"),
            bytes(4),
            struct.pack(">IH", total_bytes, 0),
        )
    )


def crc16(data: bytes) -> int:
    """CRC-16/ARC: x^16 + x^15 + x^2 + 1, reflected, from 0."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    return crc


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC_OF_BYTE: Final = tuple(map(_crc_of_byte, range(256)))


@dataclass(frozen=True)
class InfoTag:
    """The content of the first frame. `delay` and `padding`: samples to cut off at the start and at the end."""

    frames: int
    total_bytes: int
    seek_points: bytes
    encoder: str
    delay: int
    padding: int

    @classmethod
    def parse(cls, frame: bytes) -> Self | None:
        """None if the frame carries no complete tag or its CRC is wrong."""
        header = FrameHeader.parse(frame[:4]) if len(frame) >= 4 else None
        if header is None or len(frame) < header.size_bytes:
            return None
        mp3 = Mp3Format(header.sample_rate_hz, header.channels, header.bitrate_kbps)
        xing = 4 + mp3.side_info_bytes
        if header.size_bytes < xing + _XING_BYTES + _LAME_BYTES:
            return None
        lame, crc = xing + _XING_BYTES, xing + _XING_BYTES + _LAME_BYTES - 2
        name, fields, frames, total_bytes = struct.unpack_from(">4sIII", frame, xing)
        if name not in (b"Info", b"Xing") or fields != _ALL_FIELDS:
            return None
        if int.from_bytes(frame[crc : crc + 2], "big") != crc16(frame[:crc]):
            return None
        cuts = int.from_bytes(frame[lame + 21 : lame + 24], "big")
        encoder = frame[lame : lame + 9].rstrip(b"\0").decode("ascii", "replace")
        return cls(frames, total_bytes, frame[xing + 16 : xing + 116], encoder, cuts >> 12, cuts & 0xFFF)
