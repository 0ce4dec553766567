"""The way of the WAV's bytes to PCM."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converting import in_blocks
from factories import chunk, fmt_chunk, riff, wav
from pigwav.audio.fmt import parse_fmt
from pigwav.audio.pcm import Intake, PcmFormat, batches
from pigwav.audio.wav import HeaderWalk


def taken(body: bytes, block_bytes: int) -> tuple[Intake, bytes]:
    """The whole body through an intake, in blocks."""
    intake, walk, audio, begun = Intake(), HeaderWalk(), [], False
    for at in range(0, len(body), block_bytes):
        block = body[at : at + block_bytes]
        if not begun and (header := walk.feed(block)):
            intake.begin(header)
            begun = True
        if begun:
            audio.append(intake.take(block))
        else:
            intake.skip(block)
    return intake, b"".join(audio)


@pytest.mark.parametrize(
    ("wav_rate", "mp3_rate"),
    [
        (1_000, 8_000),
        (8_000, 8_000),
        (8_001, 11_025),
        (37_800, 44_100),
        (44_100, 44_100),
        (44_101, 48_000),
        (88_200, 44_100),
        (96_000, 48_000),
        (176_400, 44_100),
        (384_000, 48_000),
    ],
)
def test_rate_is_the_lowest_of_mp3_that_loses_no_band(wav_rate: int, mp3_rate: int) -> None:
    assert PcmFormat.of(parse_fmt(fmt_chunk(rate=wav_rate)[8:])).sample_rate_hz == mp3_rate


@pytest.mark.parametrize(
    ("chunk", "plainly"),
    [
        (fmt_chunk(), True),
        (fmt_chunk(channels=1, rate=8_000), True),
        (fmt_chunk(channels=3), False),
        (fmt_chunk(rate=44_101), False),
        (fmt_chunk(bits=24), False),
        (fmt_chunk(tag=6, bits=8), False),
    ],
)
def test_only_sixteen_bits_of_mp3_s_rates_and_channels_need_no_decoder(
    chunk: bytes, *, plainly: bool
) -> None:
    wav_format = parse_fmt(chunk[8:])
    assert PcmFormat.of(wav_format).is_plainly(wav_format) is plainly


@given(st.integers(1, 500), st.integers(0, 90), st.integers(0, 90))
def test_intake_hands_out_exactly_the_audio_and_hashes_everything(
    block_bytes: int, before: int, after: int
) -> None:
    body = wav(
        samples=211,
        channels=1,
        content="noise",
        before=chunk(b"LIST", bytes(before)),
        after=chunk(b"id3 ", bytes(after)),
    )
    audio = wav(samples=211, channels=1, content="noise")[44:]
    intake, found = taken(body, block_bytes)
    assert found == audio
    assert intake.samples == 211
    assert (intake.wav_bytes, intake.wav_sha256()) == (len(body), sha256(body).digest())


@given(st.integers(1, 50), st.integers(0, 61), st.sampled_from([16, 24]))
def test_half_samples_are_carried_over_and_the_last_is_left_out(
    block_bytes: int, data_bytes: int, bits: int
) -> None:
    data = bytes(range(data_bytes))
    body = riff(fmt_chunk(bits=bits) + chunk(b"data", data, size=0, padded=False))
    _, found = taken(body, block_bytes)
    sample_bytes = bits // 8 * 2
    assert found == data[: data_bytes // sample_bytes * sample_bytes]


def test_audio_beyond_its_declared_size_is_not_audio() -> None:
    intake, found = taken(wav(samples=10, channels=1, data_size=8), 7)
    assert len(found) == 8
    assert intake.samples == 4


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 60))
def test_batches_are_the_same_bytes_in_equal_blocks(blocks: list[bytes], size_bytes: int) -> None:
    async def source() -> AsyncIterator[bytes]:
        for block in blocks[1:]:
            yield block

    async def collected() -> list[bytes]:
        return [batch async for batch in batches(blocks[0] if blocks else b"", source(), size_bytes)]

    found = asyncio.run(collected())
    assert b"".join(found) == b"".join(blocks)
    assert all(len(batch) == size_bytes for batch in found[:-1])
    assert all(0 < len(batch) <= size_bytes for batch in found)


def test_a_batch_is_handed_out_as_soon_as_it_is_full() -> None:
    async def first_of_an_endless_source() -> bytes:
        async def endless() -> AsyncIterator[bytes]:
            async for block in in_blocks(bytes(3), 1):
                yield block
            await asyncio.Event().wait()

        return await anext(batches(b"", endless(), 2))

    assert asyncio.run(asyncio.wait_for(first_of_an_endless_source(), 30)) == bytes(2)
