"""Limits of heads and of body framing: byte counts and a timer, without a connection."""

from collections.abc import Iterator

import pytest

from pigwav.api.connections.head_limits import MAX_FIELDS, HeadLimits
from pigwav.errors import HeadTooLarge
from pigwav.settings import HttpSettings
from stepped_loop import SteppedLoop, stepped_loop

BOUNDS = HttpSettings(max_header_bytes=1024, header_timeout_s=10)
URL = b"/records"
FIELD = (b"host", b"x")


@pytest.fixture
def loop() -> Iterator[SteppedLoop]:
    with stepped_loop() as stepped:
        yield stepped


@pytest.fixture
def limits(loop: SteppedLoop) -> HeadLimits:
    return HeadLimits(loop, BOUNDS)


def test_a_head_that_has_not_ended_may_have_so_many_bytes_and_no_more(limits: HeadLimits) -> None:
    limits.bytes_received(1000)
    limits.bytes_received(24)
    limits.check()

    limits.bytes_received(1)
    with pytest.raises(HeadTooLarge, match="1024 bytes"):
        limits.check()


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (b"/" + b"u" * 1024, [FIELD]),
        (URL, [(b"x-long", b"v" * 1024)]),
        (URL, [(b"n" * 1024, b"")]),
        (URL, [FIELD] * (MAX_FIELDS + 1)),
    ],
    ids=["url", "value", "name", "fields"],
)
def test_a_complete_head_that_is_too_large_is_refused(
    limits: HeadLimits, url: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(HeadTooLarge):
        limits.head_complete(url, headers)


def test_what_frames_a_body_may_have_as_many_bytes_again(limits: HeadLimits) -> None:
    limits.bytes_received(1024)
    limits.head_complete(URL, [FIELD] * MAX_FIELDS)
    limits.bytes_received(1024)
    limits.check()

    limits.bytes_received(1)
    with pytest.raises(HeadTooLarge):
        limits.check()


def test_a_body_s_data_and_the_sizes_of_its_chunks_do_not_count(limits: HeadLimits) -> None:
    limits.head_complete(URL, [FIELD])
    for _ in range(1000):
        limits.bytes_received(5 + 40 + 2)
        limits.body_received(40)
        limits.check()


def test_extensions_of_chunks_add_up(limits: HeadLimits) -> None:
    def receive_chunks(count: int) -> None:
        for _ in range(count):
            limits.bytes_received(5 + 40 + 2 + 33)
            limits.body_received(40)
            limits.check()

    limits.head_complete(URL, [FIELD])
    receive_chunks(49)  # 20 bytes of each are counted: 980
    with pytest.raises(HeadTooLarge):
        receive_chunks(3)


def test_the_next_head_begins_with_the_whole_bound(limits: HeadLimits) -> None:
    limits.head_complete(URL, [FIELD])
    assert not limits.awaits_head
    limits.bytes_received(1024)
    limits.message_complete()
    assert limits.awaits_head
    assert not limits.has_begun

    limits.bytes_received(1024)
    limits.check()


@pytest.mark.parametrize("bytes_received", [0, 1])
def test_a_head_that_is_late_is_reported_once(
    loop: SteppedLoop, limits: HeadLimits, bytes_received: int
) -> None:
    begun: list[bool] = []
    limits.start_timer(lambda: begun.append(limits.has_begun))
    limits.bytes_received(bytes_received)

    loop.pass_time(9.875)
    assert begun == []
    loop.pass_time(60)
    assert begun == [bytes_received > 0]


def test_further_bytes_of_a_head_give_it_no_more_time(loop: SteppedLoop, limits: HeadLimits) -> None:
    late: list[float] = []
    began_s = loop.time()
    for _ in range(12):
        limits.start_timer(lambda: late.append(loop.time() - began_s))
        limits.bytes_received(1)
        loop.pass_time(1)

    assert late == [10]


def test_a_head_that_came_in_time_is_not_late_and_neither_is_its_body(
    loop: SteppedLoop, limits: HeadLimits
) -> None:
    late: list[str] = []
    limits.start_timer(lambda: late.append("head"))
    loop.pass_time(9)
    limits.head_complete(URL, [FIELD])
    limits.start_timer(lambda: late.append("body"))

    loop.pass_time(60)
    assert late == []


def test_after_a_body_the_next_head_has_the_whole_time(loop: SteppedLoop, limits: HeadLimits) -> None:
    late: list[str] = []
    limits.start_timer(lambda: late.append("first"))
    loop.pass_time(9)
    limits.head_complete(URL, [FIELD])
    limits.message_complete()
    limits.start_timer(lambda: late.append("second"))

    loop.pass_time(9)
    assert late == []
    loop.pass_time(1)
    assert late == ["second"]
