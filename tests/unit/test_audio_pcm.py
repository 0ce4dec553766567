"""From the WAV's bytes to PCM."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converting import in_blocks
from factories import chunk, fmt_chunk, info_chunk, riff, wav
from pigwav.audio.chunks import TagChunk
from pigwav.audio.fmt import parse_fmt
from pigwav.audio.intake import Intake, batches
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.wav import HeaderWalk


def taken(body: bytes, block_bytes: int) -> tuple[Intake, bytes]:
    """Passes the whole body through an intake, in blocks."""
    blocks = iter([body[at : at + block_bytes] for at in range(0, len(body), block_bytes)])
    intake, walk, held = Intake(), HeaderWalk(), b""
    for block in blocks:
        held += block
        if header := walk.feed(block):
            break
        if not walk.at_audio:
            intake.skip(held)
            held = b""
    else:
        header = walk.end()
    intake.begin(header, header.declared_data_bytes)
    return intake, b"".join([intake.take(block) for block in (held, *blocks)])


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
    ("chunk", "as_recorded"),
    [
        (fmt_chunk(), True),
        (fmt_chunk(channels=1, rate=8_000), True),
        (fmt_chunk(bits=24), True),
        (fmt_chunk(channels=3), False),
        (fmt_chunk(rate=44_101), False),
    ],
)
def test_pcm_has_the_wav_s_own_rate_and_channels_where_mp3_has_them(
    chunk: bytes, *, as_recorded: bool
) -> None:
    wav_format = parse_fmt(chunk[8:])
    assert PcmFormat.of(wav_format).is_as_recorded(wav_format) is as_recorded


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


@given(st.integers(1, 50), st.integers(1, 61), st.sampled_from([16, 24]))
def test_half_samples_are_carried_over_and_the_last_is_left_out(
    block_bytes: int, data_bytes: int, bits: int
) -> None:
    data = bytes(range(data_bytes))
    body = riff(fmt_chunk(bits=bits) + chunk(b"data", data, size=0, padded=False))
    _, found = taken(body, block_bytes)
    sample_bytes = bits // 8 * 2
    assert found == data[: data_bytes // sample_bytes * sample_bytes]


@given(st.integers(1, 500), st.integers(0, 5), st.booleans())
def test_tags_behind_the_audio_are_found_wherever_the_blocks_end(
    block_bytes: int,
    more_bytes: int,
    padded: bool,  # noqa: FBT001 - hypothesis fills it
) -> None:
    audio, info = bytes(400 + more_bytes), info_chunk(INAM="a title")
    body = riff(
        fmt_chunk(bits=8, channels=1) + chunk(b"data", audio, padded=padded) + chunk(b"free", b"") + info
    )
    intake, found = taken(body, block_bytes)
    assert found == audio
    assert intake.tail().tag_chunks == (TagChunk(b"LIST", info[8:]),)


@pytest.mark.parametrize("size", [0, 1_000])
def test_where_the_audio_s_size_is_unknown_or_too_big_there_is_nothing_behind_it(size: int) -> None:
    body = wav(samples=100, data_size=size, after=info_chunk(INAM="a title"))
    intake, _ = taken(body, 64)
    assert intake.tail().tag_chunks == ()


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


@pytest.mark.parametrize("block_bytes", [1, 7, 65_536])
def test_only_what_is_less_than_a_batch_is_held_while_a_slow_client_sends(block_bytes: int) -> None:
    size_bytes = 131_072

    async def held_bytes() -> int:
        reached = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            for _ in range(0, size_bytes + size_bytes // 2, block_bytes):
                yield os.urandom(block_bytes)
            reached.set()
            await asyncio.Event().wait()

        cut = batches(b"", slow(), size_bytes)
        tracemalloc.start()
        try:
            await anext(cut)
            waiting = asyncio.create_task(anext(cut))
            await reached.wait()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            waiting.cancel()

    assert asyncio.run(asyncio.wait_for(held_bytes(), 60)) < size_bytes
