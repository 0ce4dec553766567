"""MP3 headers: reading any bytes, and reading back what was written."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fuzz.target import Target
from pigwav.audio.info import InfoTag, blank_frame, info_frame, info_frame_bytes
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, FrameHeader, Mp3Format, Mp3Shape, bit_rates_kbps

FORMATS: Final = tuple(
    Mp3Format(rate, channels, kbps)
    for rate in SAMPLE_RATES_HZ
    for channels in (1, 2)
    for kbps in bit_rates_kbps(rate)
)
_MAX_FRAME_BYTES: Final = 1_441
"""320 kb/s at 32 kHz, padded."""


def check_read(_: int, body: bytes) -> None:
    """Any bytes give a valid frame header or None, and a tag only if its CRC is right."""
    header = FrameHeader.parse(body[:4].ljust(4, b"\0"))
    tag = InfoTag.parse(body)
    if header is None:
        assert tag is None
        return
    assert header.sample_rate_hz in SAMPLE_RATES_HZ
    assert header.channels in (1, 2)
    assert 0 < header.size_bytes <= _MAX_FRAME_BYTES
    mp3 = Mp3Format(header.sample_rate_hz, header.channels, header.bitrate_kbps)
    unpadded = replace(header, size_bytes=mp3.frame_bytes(header.bitrate_kbps))
    assert FrameHeader.parse(mp3.header(header.bitrate_kbps)) == unpadded
    assert header.size_bytes - unpadded.size_bytes in (0, 1)
    if tag:
        assert len(body) >= header.size_bytes
        assert max(tag.delay, tag.padding) < 1 << 12
        assert len(tag.seek_points) == 100


def check_written(steer: int, body: bytes) -> None:
    """A first frame of any format and length reads back; with one bit changed, it is not a tag."""
    mp3 = FORMATS[steer % len(FORMATS)]
    samples = 1 + int.from_bytes(body[:5], "big")
    shape = Mp3Shape.of(samples, mp3)
    frame = info_frame(mp3, shape, lame_quality=steer % 10)
    tag = InfoTag.parse(frame)
    assert tag
    assert (tag.frames, tag.padding) == (shape.frames & 0xFFFFFFFF, shape.padding)
    assert 576 + samples + shape.padding == shape.frames * mp3.frame_samples
    assert [*tag.seek_points] == sorted(tag.seek_points)
    assert len(frame) == info_frame_bytes(mp3) == len(blank_frame(mp3))
    assert InfoTag.parse(blank_frame(mp3)) is None
    if body[5:]:
        _check_damaged(frame, 4 + mp3.side_info_bytes + int.from_bytes(body[5:6], "big") % 156, body[5] & 7)


def _check_damaged(frame: bytes, at: int, bit: int) -> None:
    damaged = bytearray(frame)
    damaged[at] ^= 1 << bit
    assert InfoTag.parse(bytes(damaged)) is None


def _frames() -> Iterator[bytes]:
    for mp3 in FORMATS[::5]:
        yield info_frame(mp3, Mp3Shape.of(44_100, mp3), lame_quality=3)


def _lengths() -> Iterator[bytes]:
    yield from (b"\0\0\0\0\0\0", b"\0\0\0\xac\x44\x01", b"\0\xff\xff\xff\xff\x99", b"\x01\0\0\0\0\xff")


MP3_TARGETS: Final = (
    Target("mp3-read", check_read, _frames, limit_bytes=1_600),
    Target("mp3-written", check_written, _lengths, limit_bytes=16),
)
