"""The first frame: Xing/Info and LAME tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.audio.info import InfoTag, blank_frame, crc16, info_frame, info_frame_bytes
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, FrameHeader, Mp3Format, Mp3Shape, bit_rates_kbps

FORMATS = [
    Mp3Format(rate, channels, kbps)
    for rate in SAMPLE_RATES_HZ
    for channels in (1, 2)
    for kbps in bit_rates_kbps(rate)
]
SAMPLES = st.one_of(st.integers(1, 5_000), st.integers(1, 12 * 3600 * 48_000))


def framed(mp3: Mp3Format, samples: int) -> bytes:
    return info_frame(mp3, Mp3Shape.of(samples, mp3), lame_quality=3)


@given(st.sampled_from(FORMATS), SAMPLES)
def test_what_is_told_is_what_is_read(mp3: Mp3Format, samples: int) -> None:
    shape = Mp3Shape.of(samples, mp3)
    frame = framed(mp3, samples)
    tag = InfoTag.parse(frame)
    assert tag is not None
    assert (tag.frames, tag.delay, tag.padding) == (shape.frames, 576, shape.padding)
    assert tag.total_bytes == len(frame) + shape.audio_bytes
    assert tag.encoder == "LAME3.100"


@given(st.sampled_from(FORMATS), SAMPLES)
def test_it_is_one_frame_of_the_stream_whatever_it_tells(mp3: Mp3Format, samples: int) -> None:
    for frame in (framed(mp3, samples), blank_frame(mp3)):
        header = FrameHeader.parse(frame[:4])
        assert header is not None
        assert header.size_bytes == len(frame) == info_frame_bytes(mp3)
        assert (header.sample_rate_hz, header.channels) == (mp3.sample_rate_hz, mp3.channels)
        assert header.bitrate_kbps >= mp3.bitrate_kbps


@pytest.mark.parametrize(
    ("mp3", "kbps"),
    [
        (Mp3Format(44_100, 2, 128), 128),
        (Mp3Format(48_000, 2, 32), 64),
        (Mp3Format(16_000, 2, 8), 40),
        (Mp3Format(24_000, 2, 56), 64),
        (Mp3Format(8_000, 1, 8), 24),
    ],
    ids=str,
)
def test_frames_too_small_for_the_tags_borrow_a_higher_bit_rate(mp3: Mp3Format, kbps: int) -> None:
    header = FrameHeader.parse(blank_frame(mp3)[:4])
    assert header is not None
    assert header.bitrate_kbps == kbps


@given(st.sampled_from(FORMATS), SAMPLES)
def test_seek_points_rise_and_point_at_their_share_of_the_bytes(mp3: Mp3Format, samples: int) -> None:
    shape = Mp3Shape.of(samples, mp3)
    frame = framed(mp3, samples)
    tag = InfoTag.parse(frame)
    assert tag is not None
    points = tag.seek_points
    assert list(points) == sorted(points)
    for percent in (0, 25, 50, 99):
        offset = len(frame) + mp3.frame_offset(percent * shape.frames // 100)
        assert points[percent] == min(255, offset * 256 // tag.total_bytes)


def test_crc_is_crc_16_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


@given(st.sampled_from(FORMATS), st.integers(0, 155), st.integers(1, 255))
def test_a_damaged_tag_is_not_believed(mp3: Mp3Format, at: int, flip: int) -> None:
    frame = bytearray(framed(mp3, 44_100))
    at += 4 + mp3.side_info_bytes
    frame[at] ^= flip
    assert InfoTag.parse(bytes(frame)) is None


@given(st.sampled_from(FORMATS), st.binary(max_size=400))
def test_other_frames_and_other_bytes_carry_no_tag(mp3: Mp3Format, junk: bytes) -> None:
    assert InfoTag.parse(junk) is None
    assert InfoTag.parse(blank_frame(mp3)) is None
    assert InfoTag.parse(mp3.header(mp3.bitrate_kbps) + junk) is None
    assert InfoTag.parse(framed(mp3, 44_100)[:-1]) is None
