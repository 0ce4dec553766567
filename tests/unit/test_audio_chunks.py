"""Chunks after the audio."""

import gc
import tracemalloc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import bext_chunk, chunk, info_chunk
from pigwav.audio.chunks import (
    MAX_CHUNKS,
    MAX_TAG_CHUNK_BYTES,
    MAX_TAG_CHUNKS,
    MAX_TAGS_BYTES,
    TagChunk,
    TailWalk,
)

INFO = info_chunk(INAM="a title")
TITLE = TagChunk(b"LIST", INFO[8:])


def found(tail: bytes, block_bytes: int = 13, *, after_odd: bool = False) -> tuple[TagChunk, ...]:
    walk = TailWalk(after_odd=after_odd)
    for start in range(0, len(tail), block_bytes):
        walk.feed(tail[start : start + block_bytes])
    return walk.end().tag_chunks


def test_tags_are_kept_in_their_order_and_all_else_is_passed_by() -> None:
    bext = bext_chunk(originator="R-1")
    adtl = chunk(b"LIST", b"adtl" + bytes(20))
    tail = chunk(b"cue ", bytes(28)) + adtl + INFO + chunk(b"id3 ", b"ID3abc") + chunk(b"ID3 ", b"xy") + bext
    assert found(tail) == (
        TITLE,
        TagChunk(b"id3 ", b"ID3abc"),
        TagChunk(b"ID3 ", b"xy"),
        TagChunk(b"bext", bext[8:]),
    )


@pytest.mark.parametrize("pad", [b"", b"\0", b"\x07", b"A"])
@pytest.mark.parametrize("before", [b"", chunk(b"JUNK", b"odd", padded=False), chunk(b"JUNK", b"even")])
def test_a_byte_of_padding_may_be_there_or_not_and_be_zero_or_not(before: bytes, pad: bytes) -> None:
    assert found(before + pad + INFO, after_odd=True) == (TITLE,)


@pytest.mark.parametrize(
    ("pad", "seen"),
    [
        (b"\0", True),
        (b"", True),
        (b"\x07", True),
        (b"A", False),
    ],  # b"A" could be the first byte of a chunk's name
)
def test_padding_before_an_unknown_name_is_what_no_name_begins_with(pad: bytes, *, seen: bool) -> None:
    tail = pad + chunk(b"xyzt", b"") + INFO
    assert (found(tail, after_odd=True) == (TITLE,)) is seen


@pytest.mark.parametrize("zeros", range(1, 20))
def test_zeros_before_a_chunk_are_passed_by(zeros: int) -> None:
    assert found(bytes(zeros) + INFO) == (TITLE,)
    assert found(bytes(zeros)) == ()


@pytest.mark.parametrize("cut", [1, 5, len(INFO) - 13])
def test_a_chunk_that_is_cut_by_the_end_of_the_file_is_kept_as_far_as_it_goes(cut: int) -> None:
    assert found(INFO[:-cut]) == (TagChunk(b"LIST", INFO[8:-cut]),)


@pytest.mark.parametrize("end", range(12))
def test_what_is_too_little_for_a_tag_is_none(end: int) -> None:
    assert found(INFO[:end]) == ()


def test_of_a_long_chunk_the_beginning_is_kept_and_the_next_is_found() -> None:
    picture = chunk(b"id3 ", b"ID3" + bytes(MAX_TAG_CHUNK_BYTES * 3))
    id3, info = found(picture + INFO, 65_536)
    assert (id3.name, id3.body) == (b"id3 ", picture[8:][:MAX_TAG_CHUNK_BYTES])
    assert info == TITLE


def test_of_many_chunks_no_more_than_the_limits_is_kept() -> None:
    much = found(chunk(b"bext", bytes(MAX_TAG_CHUNK_BYTES - 2)) * 20, 65_536)
    assert sum(len(one.body) for one in much) == MAX_TAGS_BYTES
    assert len(found(chunk(b"bext", b"12") * 10_000, 65_536)) == MAX_TAG_CHUNKS


def test_chunks_that_never_end_are_abandoned() -> None:
    assert found(chunk(b"JUNK", b"") * (MAX_CHUNKS - 1) + INFO, 65_536) == (TITLE,)
    assert found(chunk(b"JUNK", b"") * MAX_CHUNKS + INFO, 65_536) == ()


@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"JUNK"])
def test_memory_is_bounded_whatever_a_chunk_claims(name: bytes) -> None:
    walk = TailWalk(after_odd=False)
    block = bytes(65_536)
    tracemalloc.start()
    try:
        walk.feed(chunk(name, b"", size=0xFFFFFFFF))
        for _ in range(100):
            walk.feed(block)
        assert tracemalloc.get_traced_memory()[1] < 16 * MAX_TAG_CHUNK_BYTES  # a sixth of the input
    finally:
        tracemalloc.stop()


CHUNKS = st.builds(
    chunk,
    st.sampled_from([b"LIST", b"id3 ", b"bext", b"JUNK", b"cue ", b"\0\0\0\0"]),
    st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(b"INFO".__add__)),
    size=st.one_of(st.none(), st.integers(0, 60), st.just(0xFFFFFFFF)),
    padded=st.booleans(),
)
TAILS = st.one_of(st.binary(max_size=100), st.lists(CHUNKS, max_size=6).map(b"".join))


@given(TAILS, st.booleans(), st.integers(1, 100))
def test_any_blocks_of_the_same_bytes_have_the_same_tags(
    tail: bytes,
    after_odd: bool,  # noqa: FBT001 - hypothesis fills it
    block_bytes: int,
) -> None:
    assert found(tail, block_bytes, after_odd=after_odd) == found(tail, len(tail) or 1, after_odd=after_odd)
    for one in found(tail, after_odd=after_odd):
        assert one.body in tail


def test_the_end_may_be_asked_for_twice() -> None:
    walk = TailWalk(after_odd=False)
    walk.feed(INFO[:20])
    assert walk.end() == walk.end() != ()


def test_a_walk_that_has_ended_is_gone_with_its_last_reference() -> None:
    """The walk and its tags are freed at once, without the garbage collector."""
    walk = TailWalk(after_odd=False)
    walk.feed(INFO)
    assert walk.end().tag_chunks == (TITLE,)
    still_there = weakref.ref(walk)
    gc.disable()
    try:
        del walk
        assert still_there() is None
    finally:
        gc.enable()
