"""The `fmt ` chunk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import EXTENSIBLE_TAG, FLOAT_TAG, PCM_TAG, extensible_fmt_chunk, fmt_chunk
from pigwav.audio.fmt import WavFormat, parse_fmt
from pigwav.errors import (
    BadAudio,
    BitsInvalid,
    BlockSizeInvalid,
    ChannelsZero,
    FmtChunkTooShort,
    SampleRateZero,
    UnsupportedChannels,
    UnsupportedCodec,
    UnsupportedSampleRate,
)
from problem_assertions import is_sentence


def parsed(chunk: bytes) -> WavFormat:
    return parse_fmt(chunk[8:])


def adpcm(tag: int, *, block: int, channels: int = 1, bits: int = 4) -> bytes:
    return fmt_chunk(tag=tag, rate=22_050, channels=channels, bits=bits, block=block, more=b"\2\0\0\0")


@pytest.mark.parametrize(
    ("chunk", "codec", "bits", "block_bytes"),
    [
        (fmt_chunk(bits=8), "pcm_u8", 8, 2),
        (fmt_chunk(bits=16), "pcm_s16le", 16, 4),
        (fmt_chunk(bits=24), "pcm_s24le", 24, 6),
        (fmt_chunk(bits=32), "pcm_s32le", 32, 8),
        (fmt_chunk(bits=64), "pcm_s64le", 64, 16),
        (fmt_chunk(bits=12), "pcm_s16le", 16, 4),
        (fmt_chunk(bits=20), "pcm_s24le", 24, 6),
        (fmt_chunk(bits=24, block=8), "pcm_s32le", 32, 8),
        (fmt_chunk(tag=FLOAT_TAG, bits=32), "pcm_f32le", 32, 8),
        (fmt_chunk(tag=FLOAT_TAG, bits=64), "pcm_f64le", 64, 16),
        (fmt_chunk(tag=6, bits=8), "pcm_alaw", 8, 2),
        (fmt_chunk(tag=7, bits=8), "pcm_mulaw", 8, 2),
        (fmt_chunk(tag=0x31, channels=1, bits=0, block=65), "gsm_ms", 0, 65),
        (adpcm(0x02, block=512), "adpcm_ms", 4, 512),
        (adpcm(0x11, block=1024, channels=2), "adpcm_ima_wav", 4, 1024),
        (extensible_fmt_chunk(bits=24), "pcm_s24le", 24, 6),
        (extensible_fmt_chunk(bits=32, valid_bits=24), "pcm_s32le", 32, 8),
        (extensible_fmt_chunk(bits=32, sub_tag=FLOAT_TAG), "pcm_f32le", 32, 8),
        (extensible_fmt_chunk(bits=0, valid_bits=32, sub_tag=FLOAT_TAG), "pcm_f32le", 32, 8),
    ],
)
def test_codings_are_recognised(chunk: bytes, codec: str, bits: int, block_bytes: int) -> None:
    found = parsed(chunk)
    assert (found.codec, found.bits, found.block_bytes) == (codec, bits, block_bytes)


def ambisonic_fmt_chunk() -> bytes:
    return extensible_fmt_chunk(channels=4)[:-14] + bytes.fromhex("0000 2107 d311 8644 c8c1 ca00 0000")


def test_bits_count_where_block_size_and_byte_rate_disagree() -> None:
    wrong_block = bytearray(fmt_chunk(bits=16, channels=1))
    wrong_block[8 + 12] = 4
    assert parsed(bytes(wrong_block)).codec == "pcm_s16le"


def test_channel_mask_is_kept() -> None:
    assert parsed(extensible_fmt_chunk(channels=6, speakers=0x3F)).speakers == 0x3F


@pytest.mark.parametrize(
    ("chunk", "error", "words"),
    [
        (fmt_chunk()[:21], FmtChunkTooShort, "13 bytes"),
        (fmt_chunk(channels=0, block=4), ChannelsZero, "0 channels"),
        (fmt_chunk(rate=0), SampleRateZero, "0 Hz"),
        (fmt_chunk(tag=0, rate=0, channels=0, bits=0), SampleRateZero, "0 Hz"),
        (fmt_chunk(bits=0), BitsInvalid, "0 bits"),
        (fmt_chunk(bits=300), BitsInvalid, "300 bits"),
        (fmt_chunk(tag=EXTENSIBLE_TAG), FmtChunkTooShort, "the minimum is 40"),
        (adpcm(0x02, block=3), BlockSizeInvalid, "blocks of 3 bytes"),
        (adpcm(0x11, block=0), BlockSizeInvalid, "blocks of 0 bytes"),
        (adpcm(0x02, block=32_774), BlockSizeInvalid, "blocks of 32774 bytes"),
        (adpcm(0x11, block=0xFFFF), BlockSizeInvalid, "blocks of 65535 bytes"),
        (fmt_chunk(tag=0x31, channels=1, block=33), BlockSizeInvalid, "33 bytes"),
        (fmt_chunk(tag=0x55), UnsupportedCodec, r"the unsupported codec 0x0055 \(MP3\)\.$"),
        (fmt_chunk(tag=0x161), UnsupportedCodec, r"the unsupported codec 0x0161 \(WMA2\)\.$"),
        (fmt_chunk(tag=0x1234), UnsupportedCodec, r"the unsupported codec 0x1234\.$"),
        (fmt_chunk(bits=48), UnsupportedCodec, "PCM of 48 bits"),
        (fmt_chunk(tag=FLOAT_TAG, bits=16), UnsupportedCodec, "floating point PCM of 16 bits"),
        (adpcm(0x11, block=512, bits=3), UnsupportedCodec, "ADPCM of 3 bits"),
        (extensible_fmt_chunk()[:-2] + b"xx", UnsupportedCodec, "sub-format 00000001-0000-0010"),
        (ambisonic_fmt_chunk(), UnsupportedCodec, "ambisonic"),
        (fmt_chunk(channels=33), UnsupportedChannels, "33 channels"),
        (adpcm(0x02, block=512, channels=3), UnsupportedChannels, "3 channels of ADPCM"),
        (fmt_chunk(tag=0x31, channels=2, block=65), UnsupportedChannels, "2 channels of GSM"),
        (fmt_chunk(rate=768_001), UnsupportedSampleRate, "768001 Hz"),
    ],
)
def test_what_is_not_converted_is_refused_with_the_reason(
    chunk: bytes, error: type[BadAudio], words: str
) -> None:
    with pytest.raises(error, match=words) as refused:
        parsed(chunk)
    assert type(refused.value) is error
    assert is_sentence(str(refused.value))


@pytest.mark.parametrize(
    ("chunk", "size_bytes", "samples"),
    [
        (fmt_chunk(bits=24), 61, 10),
        (fmt_chunk(tag=6, bits=8), 21, 10),
        (fmt_chunk(tag=0x31, channels=1, bits=0, block=65), 129, 320),
        (adpcm(0x02, block=512), 512, 1012),
        (adpcm(0x02, block=512), 512 + 6, 1012),
        (adpcm(0x02, block=512), 512 + 256, 1512),
        (adpcm(0x02, block=1024, channels=2), 2048, 2024),
        (adpcm(0x11, block=1024, channels=2), 1024, 1017),
        (adpcm(0x11, block=1024, channels=2), 1024 + 512, 1522),
        (adpcm(0x11, block=1024, channels=2), 1024 + 8, 1017),
    ],
)
def test_samples_are_counted_as_decoders_count_them(chunk: bytes, size_bytes: int, samples: int) -> None:
    assert parsed(chunk).samples_in(size_bytes) == samples


@given(st.binary(max_size=60))
def test_any_bytes_are_a_format_or_a_named_error(body: bytes) -> None:
    for start in (
        b"",
        PCM_TAG.to_bytes(2, "little"),
        EXTENSIBLE_TAG.to_bytes(2, "little"),
        b"\2\0",
        b"\x11\0",
    ):
        try:
            found = parse_fmt(start + body)
        except BadAudio:
            continue
        assert found.samples_in(found.block_bytes) == found.block_samples >= 1
