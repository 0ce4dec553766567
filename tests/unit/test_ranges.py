"""Byte ranges: RFC 9110 section 14, one range at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.ranges import ByteSlice, FromTo, LastBytes, Selection, Unsatisfiable, Whole, parse_range, select

HUGE = "9" * 5000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteSlice(0, 1)),
        ("bytes=0-1", ByteSlice(0, 2)),
        ("bytes=0-9", ByteSlice(0, 10)),
        ("bytes=0-", ByteSlice(0, 10)),
        ("bytes=3-", ByteSlice(3, 10)),
        ("bytes=9-", ByteSlice(9, 10)),
        ("bytes=9-9", ByteSlice(9, 10)),
        ("bytes=2-100", ByteSlice(2, 10)),
        ("bytes=-1", ByteSlice(9, 10)),
        ("bytes=-10", ByteSlice(0, 10)),
        ("bytes=-11", ByteSlice(0, 10)),
        ("BYTES=0-1", ByteSlice(0, 2)),
        ("bytes=0000-0001", ByteSlice(0, 2)),
        ("bytes=-0003", ByteSlice(7, 10)),
        (" bytes= 0-1\t", ByteSlice(0, 2)),
        ("bytes=,0-1, ,", ByteSlice(0, 2)),
        (f"bytes=1-{HUGE}", ByteSlice(1, 10)),
        (f"bytes=-{HUGE}", ByteSlice(0, 10)),
        (f"bytes={'0' * 5000}1-2", ByteSlice(1, 3)),
    ],
)
def test_one_range_selects_its_bytes(header: str, expected: Selection) -> None:
    assert select(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        "bytes=10-",
        "bytes=10-10",
        "bytes=11-20",
        "bytes=-0",
        "bytes=-000",
        f"bytes={HUGE}-",
        f"bytes={HUGE}-{HUGE}",
    ],
)
def test_range_past_the_end_is_unsatisfiable(header: str) -> None:
    assert select(header, 10) == Unsatisfiable()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1_0-20",
        "bytes=٣-٤",  # digits, but not ASCII
        "bytes=5-4",
        f"bytes={HUGE}1-{HUGE}0",
        "bytes=0 - 1",
        "bytes =0-1",
        "bytes:0-1",
        "bytes=0-1-2",
        "bytes=0-1\n",
        "bytes=0-1,2-3",
        "bytes=0-1,-1",
        "items=0-1",
        "0-1",
    ],
)
def test_what_is_not_one_byte_range_gets_the_whole(header: str | None) -> None:
    assert select(header, 10) == Whole()


def test_empty_representation_has_no_part() -> None:
    assert select("bytes=0-", 0) == Unsatisfiable()
    assert select("bytes=-1", 0) == Whole()
    assert select("bytes=-0", 0) == Unsatisfiable()


def test_range_is_parsed_before_the_size_is_known() -> None:
    assert parse_range("bytes=5-") == FromTo(5, None)
    assert parse_range("bytes=5-7") == FromTo(5, 7)
    assert parse_range("bytes=-5") == LastBytes(5)


def test_content_range_counts_inclusively() -> None:
    assert ByteSlice(2, 5).content_range(10) == "bytes 2-4/10"
    assert ByteSlice(2, 5).length == 3


@given(st.integers(0, 10**21), st.integers(0, 10**21), st.integers(1, 10**18))
def test_first_to_last_is_what_slicing_would_give(first: int, last: int, size: int) -> None:
    got = select(f"bytes={first}-{last}", size)
    if last < first:
        assert got == Whole()
    elif first >= size:
        assert got == Unsatisfiable()
    else:
        assert got == ByteSlice(*slice(first, last + 1).indices(size)[:2])


@given(st.integers(1, 10**21), st.integers(1, 10**18))
def test_suffix_is_what_negative_slicing_would_give(length: int, size: int) -> None:
    assert select(f"bytes=-{length}", size) == ByteSlice(*slice(-length, None).indices(size)[:2])


@given(st.text(alphabet="bytes=,-0123456789 \t\n٣x"), st.integers(0, 100))
def test_any_header_gets_an_answer_within_the_size(header: str, size: int) -> None:
    got = select(header, size)
    assert not isinstance(got, ByteSlice) or 0 <= got.start < got.stop <= size
