"""Frame headers, bit rates, and the exact shape of an MP3."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import pcm
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, FrameHeader, Mp3Format, Mp3Shape, bit_rates_kbps, check_bit_rate
from pigwav.errors import UnsupportedBitRate

FORMATS = [
    Mp3Format(rate, channels, kbps)
    for rate in SAMPLE_RATES_HZ
    for channels in (1, 2)
    for kbps in bit_rates_kbps(rate)
]


def encoded(mp3: Mp3Format, samples: int, *, block_samples: int = 40_000) -> bytes:
    lame = LameEncoder(mp3, quality=7)
    audio = pcm(samples, rate=mp3.sample_rate_hz, channels=mp3.channels, content="noise")
    step = block_samples * 2 * mp3.channels
    return b"".join(lame.encode(audio[at : at + step]) for at in range(0, len(audio), step)) + lame.flush()


def frame_headers(frames: bytes) -> list[FrameHeader]:
    """Walks the frames as a player does; fails if there is a gap between two frames."""
    headers, at = [], 0
    while at < len(frames):
        header = FrameHeader.parse(frames[at : at + 4])
        assert header is not None, f"no frame at {at}"
        headers.append(header)
        at += header.size_bytes
    assert at == len(frames)
    return headers


@pytest.mark.parametrize(
    ("rate", "lowest", "highest"),
    [(8_000, 8, 64), (12_000, 8, 64), (16_000, 8, 160), (24_000, 8, 160), (44_100, 32, 320)],
)
def test_bit_rates_are_those_that_lame_keeps(rate: int, lowest: int, highest: int) -> None:
    rates = bit_rates_kbps(rate)
    assert (rates[0], rates[-1]) == (lowest, highest)
    assert list(rates) == sorted(rates)


@pytest.mark.parametrize(
    ("kbps", "rate"), [(100, 44_100), (8, 44_100), (320, 22_050), (80, 8_000), (0, 8_000), (-1, 48_000)]
)
def test_other_bit_rates_are_refused_naming_the_choice(kbps: int, rate: int) -> None:
    with pytest.raises(
        UnsupportedBitRate, match=rf"^At {rate} Hz .* {bit_rates_kbps(rate)[0]}, .* not {kbps}\.$"
    ):
        check_bit_rate(kbps, rate)


@pytest.mark.parametrize("mp3", FORMATS, ids=str)
def test_every_frame_of_lame_is_as_predicted(mp3: Mp3Format) -> None:
    frames = encoded(mp3, 3_000)
    headers = frame_headers(frames)
    assert {(h.sample_rate_hz, h.channels, h.bitrate_kbps) for h in headers} == {
        (mp3.sample_rate_hz, mp3.channels, mp3.bitrate_kbps)
    }
    offsets = [mp3.frame_offset(index) for index in range(len(headers) + 1)]
    assert [after - before for before, after in pairwise(offsets)] == [h.size_bytes for h in headers]
    mode_extension = 0x30
    assert frames[0:2] == mp3.header(mp3.bitrate_kbps)[0:2]
    assert frames[3] & ~mode_extension == mp3.header(mp3.bitrate_kbps)[3]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(FORMATS),
    st.one_of(st.integers(1, 5_000), st.integers(1, 120_000)),
    st.integers(1, 50_000),
)
def test_prediction_of_frames_and_bytes_is_exact(mp3: Mp3Format, samples: int, block_samples: int) -> None:
    frames = encoded(mp3, samples, block_samples=max(block_samples, samples // 20))
    shape = Mp3Shape.of(samples, mp3)
    assert len(frames) == shape.audio_bytes
    assert len(frame_headers(frames)) == shape.frames


@pytest.mark.parametrize("mp3", FORMATS[::17], ids=str)
def test_prediction_of_long_audio_is_exact(mp3: Mp3Format) -> None:
    samples = 200_000 + 977 * mp3.bitrate_kbps
    frames = encoded(mp3, samples)
    shape = Mp3Shape.of(samples, mp3)
    assert (len(frames), len(frame_headers(frames))) == (shape.audio_bytes, shape.frames)


@given(st.sampled_from(FORMATS), st.integers(1, 5 * 3600 * 48_000))
def test_delay_samples_and_padding_fill_whole_frames(mp3: Mp3Format, samples: int) -> None:
    shape = Mp3Shape.of(samples, mp3)
    assert 576 + samples + shape.padding == shape.frames * mp3.frame_samples
    assert 576 <= shape.padding < 576 + mp3.frame_samples
    assert shape.padding < 1 << 12  # 12 bits in the tag


@pytest.mark.parametrize(
    "mp3", [Mp3Format(44_100, 2, 128), Mp3Format(22_050, 1, 64), Mp3Format(11_025, 2, 48)], ids=str
)
def test_five_hours_are_as_long_as_frame_after_frame(mp3: Mp3Format) -> None:
    samples = 5 * 3600 * mp3.sample_rate_hz
    whole, owed = divmod(mp3.frame_samples * 125 * mp3.bitrate_kbps, mp3.sample_rate_hz)
    lag, size_bytes = owed, 0
    shape = Mp3Shape.of(samples, mp3)
    for _ in range(shape.frames):  # LAME's algorithm, frame by frame
        lag -= owed
        paid = lag < 0
        lag += mp3.sample_rate_hz if paid else 0
        size_bytes += whole + paid
    assert shape.audio_bytes == size_bytes


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF",
        b"\xff\xfb\x00\x00",
        b"\xff\xfb\xf0\x00",
        b"\xff\xfb\x9c\x00",
        b"\xff\xfd\x90\x00",
        b"\xff\xeb\x90\x00",
        b"\xff\x1b\x90\x00",
    ],
    ids=["no-sync", "free", "bad-bit-rate", "bad-rate", "layer-2", "bad-version", "half-sync"],
)
def test_other_bytes_are_no_frame_header(head: bytes) -> None:
    assert FrameHeader.parse(head) is None
