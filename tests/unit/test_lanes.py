"""A lane call that has begun is always waited for."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from pigwav.lanes import Lane, to_the_end


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane("test", width=1)
    yield lane
    lane.close()


def test_a_lane_answers_what_the_call_returns_or_raises(lane: Lane) -> None:
    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        assert await lane(divmod, 7, 2) == (3, 1)
        with pytest.raises(ValueError, match="no"):
            await lane(fail)

    asyncio.run(run())


def test_a_cancelled_caller_waits_for_the_call_that_has_begun(lane: Lane) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)
        ended.set()

    async def run() -> None:
        caller = asyncio.create_task(lane(work))
        await asyncio.to_thread(begun.wait)
        for _ in range(3):  # however often
            caller.cancel()
            await asyncio.sleep(0)
        assert not caller.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended.is_set()

    asyncio.run(run())


def test_a_cancelled_caller_withdraws_a_call_that_has_not_begun(lane: Lane) -> None:
    begun, go, calls = threading.Event(), threading.Event(), []

    def occupy() -> None:
        begun.set()
        go.wait(10)

    async def run() -> None:
        first = asyncio.create_task(lane(occupy))
        await asyncio.to_thread(begun.wait)
        second = asyncio.create_task(lane(calls.append, 1))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go.set()
        await first

    asyncio.run(run())
    assert calls == []


def test_no_more_calls_run_at_a_time_than_the_lane_is_wide() -> None:
    wide, most, now, lock = Lane("wide", width=3), 0, 0, threading.Lock()
    full = threading.Barrier(3, timeout=10)

    def work() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        full.wait()  # passes only when three are here together
        with lock:
            now -= 1

    async def run() -> None:
        await asyncio.gather(*(wide(work) for _ in range(9)))

    asyncio.run(run())
    wide.close()
    assert most == 3


def test_work_runs_to_its_end_however_often_the_caller_is_cancelled() -> None:
    steps = []

    async def work() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)

    async def run() -> None:
        caller = asyncio.create_task(to_the_end(work()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller

    asyncio.run(run())
    assert steps == [0, 1, 2, 3, 4]
