"""Preconditions of GET and HEAD, as a table of RFC 9110 section 13.2.2."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.api.conditional import Answer, Conditions
from pigwav.api.headers import http_date

ETAG = '"' + "a1" * 32 + '"'
OTHER = '"' + "b2" * 32 + '"'
MODIFIED = datetime(2026, 3, 1, 12, 30, 5, 900_000, tzinfo=UTC)
AT = "Sun, 01 Mar 2026 12:30:05 GMT"
BEFORE = "Sun, 01 Mar 2026 12:30:04 GMT"
AFTER = "Sun, 01 Mar 2026 12:30:06 GMT"
WHOLE, RANGE, NOT_MODIFIED, FAILED = (
    Answer.WHOLE,
    Answer.RANGE,
    Answer.NOT_MODIFIED,
    Answer.PRECONDITION_FAILED,
)


def answer(headers: dict[str, str], method: str = "GET") -> Answer:
    return Conditions(method, headers, ETAG, MODIFIED).answer()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, WHOLE),
        ({"if-match": ETAG}, WHOLE),
        ({"if-match": "*"}, WHOLE),
        ({"if-match": f"{OTHER}, {ETAG}"}, WHOLE),
        ({"if-match": f'"with, comma",,{ETAG} '}, WHOLE),
        ({"if-match": OTHER}, FAILED),
        ({"if-match": f"W/{ETAG}"}, FAILED),
        ({"if-match": ETAG.strip('"')}, FAILED),
        ({"if-match": ""}, FAILED),
        ({"if-unmodified-since": AT}, WHOLE),
        ({"if-unmodified-since": AFTER}, WHOLE),
        ({"if-unmodified-since": BEFORE}, FAILED),
        ({"if-unmodified-since": "yesterday"}, WHOLE),
        ({"if-none-match": ETAG}, NOT_MODIFIED),
        ({"if-none-match": f"W/{ETAG}"}, NOT_MODIFIED),
        ({"if-none-match": f"{OTHER},W/{ETAG}"}, NOT_MODIFIED),
        ({"if-none-match": " * "}, NOT_MODIFIED),
        ({"if-none-match": OTHER}, WHOLE),
        ({"if-none-match": ETAG.strip('"')}, WHOLE),
        ({"if-modified-since": AT}, NOT_MODIFIED),
        ({"if-modified-since": AFTER}, NOT_MODIFIED),
        ({"if-modified-since": BEFORE}, WHOLE),
        ({"if-modified-since": "Sun, 01 Mar 2026 12:30:05 +0000"}, WHOLE),
        ({"if-modified-since": "Mon, 30 Feb 2026 12:30:05 GMT"}, WHOLE),
        ({"if-modified-since": f"{AT}, {AT}"}, WHOLE),
    ],
)
def test_precondition_decides(headers: dict[str, str], expected: Answer) -> None:
    assert answer(headers) == expected
    assert answer(headers, "HEAD") == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"if-match": ETAG, "if-unmodified-since": BEFORE}, WHOLE),
        ({"if-match": OTHER, "if-unmodified-since": AFTER}, FAILED),
        ({"if-none-match": OTHER, "if-modified-since": AFTER}, WHOLE),
        ({"if-none-match": ETAG, "if-modified-since": BEFORE}, NOT_MODIFIED),
        ({"if-match": OTHER, "if-none-match": ETAG}, FAILED),
        ({"if-match": ETAG, "if-none-match": ETAG}, NOT_MODIFIED),
        ({"if-unmodified-since": BEFORE, "if-none-match": ETAG}, FAILED),
        ({"if-none-match": ETAG, "range": "bytes=0-1", "if-range": ETAG}, NOT_MODIFIED),
        ({"if-match": ETAG, "range": "bytes=0-1"}, RANGE),
    ],
)
def test_entity_tags_go_before_dates_and_matching_before_freshness(
    headers: dict[str, str], expected: Answer
) -> None:
    assert answer(headers) == expected


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        (ETAG, RANGE),
        (f" {ETAG} ", RANGE),
        (OTHER, WHOLE),
        (f"W/{ETAG}", WHOLE),
        ("*", WHOLE),
        ("", WHOLE),
        (AT, RANGE),
        (BEFORE, WHOLE),
        (AFTER, WHOLE),
        ("nonsense", WHOLE),
    ],
)
def test_range_counts_only_while_if_range_names_these_bytes(if_range: str, expected: Answer) -> None:
    assert answer({"range": "bytes=0-1", "if-range": if_range}) == expected


def test_range_counts_for_get_alone() -> None:
    assert answer({"range": "bytes=0-1"}) == RANGE
    assert answer({"range": "bytes=0-1"}, "HEAD") == WHOLE
    assert answer({"if-range": ETAG}) == WHOLE


@pytest.mark.parametrize("text", [AT, "Sunday, 01-Mar-26 12:30:05 GMT", "Sun Mar  1 12:30:05 2026"])
def test_date_is_read_in_all_three_formats(text: str) -> None:
    assert answer({"if-modified-since": text}) == NOT_MODIFIED
    assert answer({"range": "bytes=0-1", "if-range": text}) == RANGE


@given(st.integers(-(10**8), 10**8))
def test_dates_compare_by_whole_seconds(seconds: int) -> None:
    date = http_date(MODIFIED + timedelta(seconds=seconds))
    assert answer({"if-modified-since": date}) == (NOT_MODIFIED if seconds >= 0 else WHOLE)
    assert answer({"if-unmodified-since": date}) == (WHOLE if seconds >= 0 else FAILED)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["if-match", "if-none-match", "if-range", "if-modified-since", "if-unmodified-since", "range"],
            st.text() | st.sampled_from([ETAG, OTHER, AT, BEFORE, "*"]),
        ),
    )
)
def test_any_headers_get_an_answer(headers: dict[str, str]) -> None:
    assert isinstance(answer(headers), Answer)


def test_every_day_and_month_name_is_read() -> None:
    days = [datetime(2026, month, day, tzinfo=UTC) for month, day in product(range(1, 13), range(1, 8))]
    for day in days:
        assert Conditions("GET", {"if-modified-since": http_date(day)}, ETAG, day).answer() == NOT_MODIFIED
