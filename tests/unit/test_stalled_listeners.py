"""When the service disconnects a client that does not read. The test simulates unread bytes and time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pigwav.api.connections.stalled_listeners import StallWatch
from stepped_loop import SteppedLoop, stepped_loop

IDLE_S = 8.0


@dataclass
class Listener:
    """A downloading client, and the watch that detects a stall."""

    loop: SteppedLoop
    untaken_bytes: int
    stalled_at_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began_s = self.loop.time()
        self.watch = StallWatch(self.loop, IDLE_S, lambda: self.untaken_bytes)

    def start(self) -> None:
        self.watch.start(lambda: self.stalled_at_s.append(self.loop.time() - self._began_s))


@pytest.fixture
def listener() -> Iterator[Listener]:
    with stepped_loop() as loop:
        yield Listener(loop, untaken_bytes=1000)


def test_who_takes_nothing_is_reported_once_after_the_idle_time(listener: Listener) -> None:
    listener.start()
    listener.loop.pass_time(10 * IDLE_S)

    assert listener.stalled_at_s == [IDLE_S]


def test_starting_a_watch_that_runs_gives_no_more_time(listener: Listener) -> None:
    listener.start()
    listener.loop.pass_time(3)
    listener.start()
    listener.loop.pass_time(10 * IDLE_S)

    assert listener.stalled_at_s == [IDLE_S]


def test_who_takes_a_byte_now_and_then_is_slow_and_not_stalled(listener: Listener) -> None:
    listener.start()
    for _ in range(20):
        listener.loop.pass_time(IDLE_S - 2)
        listener.untaken_bytes -= 1

    assert listener.stalled_at_s == []


def test_progress_that_the_number_of_bytes_does_not_show_counts(listener: Listener) -> None:
    listener.start()
    for _ in range(20):
        listener.loop.pass_time(IDLE_S - 2)
        listener.watch.progressed()  # the client read as many bytes as were written

    assert listener.stalled_at_s == []


def test_after_progress_the_idle_time_begins_again(listener: Listener) -> None:
    listener.start()
    listener.loop.pass_time(6)
    listener.watch.progressed()
    listener.loop.pass_time(IDLE_S)

    assert listener.stalled_at_s == [6 + IDLE_S]


def test_the_watch_ends_when_everything_is_taken_and_can_start_again(listener: Listener) -> None:
    listener.start()
    listener.loop.pass_time(6)
    listener.untaken_bytes = 0
    listener.loop.pass_time(2)
    assert listener.stalled_at_s == []

    listener.untaken_bytes = 500
    listener.loop.pass_time(10 * IDLE_S)
    assert listener.stalled_at_s == []

    listener.start()
    listener.loop.pass_time(IDLE_S)
    assert len(listener.stalled_at_s) == 1


def test_nothing_is_watched_if_nothing_is_untaken(listener: Listener) -> None:
    listener.untaken_bytes = 0
    listener.start()
    listener.untaken_bytes = 1000
    listener.loop.pass_time(10 * IDLE_S)

    assert listener.stalled_at_s == []


def test_a_watch_that_is_stopped_reports_nothing(listener: Listener) -> None:
    listener.start()
    listener.loop.pass_time(6)
    listener.watch.stop()
    listener.loop.pass_time(10 * IDLE_S)

    assert listener.stalled_at_s == []
