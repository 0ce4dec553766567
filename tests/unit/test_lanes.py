"""A lane call that has begun is always waited for."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pigwav.errors import Limit, Overloaded
from pigwav.lanes import ENCODER_NICE, Lane, Lanes, to_the_end


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


@contextmanager
def occupied(lane: Lane) -> Iterator[None]:
    """Its one thread works until the end of the block."""
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as caller:
        busy = caller.submit(lambda: asyncio.run(lane(work)))
        begun.wait(10)
        try:
            yield
        finally:
            go.set()
            busy.result()


async def is_refused(lane: Lane) -> bool:
    try:
        await lane(lambda: None)
    except Overloaded:
        return True
    return False


def test_a_call_that_does_not_get_its_turn_in_time_is_refused_and_never_runs(lane: Lane) -> None:
    calls: list[int] = []

    async def run() -> None:
        with pytest.raises(Overloaded):
            await lane.within(0.05, Limit.DATABASE)(calls.append, 1)

    with occupied(lane):
        asyncio.run(run())
    asyncio.run(lane(calls.append, 2))
    assert calls == [2]


def test_behind_a_call_that_has_waited_for_long_nobody_else_queues(lane: Lane) -> None:
    async def run() -> None:
        patient = asyncio.create_task(lane(lambda: None))
        assert await is_refused(lane.within(0.1, Limit.DATABASE))
        with pytest.raises(Overloaded):
            lane.within(0.1, Limit.DATABASE)(lambda: None).send(None)  # in its first step: it does not wait
        patient.cancel()
        await asyncio.wait({patient})
        assert await is_refused(lane.within(0.01, Limit.DATABASE))  # it waits again, and in vain

    with occupied(lane):
        asyncio.run(run())
    assert not asyncio.run(is_refused(lane.within(10, Limit.DATABASE)))


def test_a_patient_call_waits_as_long_as_it_takes(lane: Lane) -> None:
    async def run() -> None:
        with occupied(lane):
            patient = asyncio.create_task(lane(divmod, 7, 2))
            assert await is_refused(lane.within(0.05, Limit.DATABASE))
            assert not patient.done()
        assert await patient == (3, 1)

    asyncio.run(run())


def test_a_call_that_has_begun_is_waited_for_however_impatient_its_caller(lane: Lane) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return go.wait(10)

    async def run() -> None:
        caller = asyncio.create_task(lane.within(0.5, Limit.DATABASE)(work))
        await asyncio.to_thread(begun.wait)
        assert await is_refused(lane.within(0.6, Limit.DATABASE))
        assert not caller.done()
        go.set()
        assert await caller

    asyncio.run(run())


def test_no_more_calls_run_at_a_time_than_the_lane_is_wide() -> None:
    wide, most, now, lock = Lane("wide", width=3), 0, 0, threading.Lock()
    full = threading.Barrier(3, timeout=60)

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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has nice values of threads")
def test_only_encoding_threads_give_way_to_the_event_loop() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def run(lanes: Lanes) -> tuple[int, int]:
        return await lanes.cpu(niceness), await lanes.db(niceness)

    own = niceness()
    with Lanes.open(db=1, store=1, cpu=1) as lanes:
        encoding, database = asyncio.run(run(lanes))
    assert encoding == ENCODER_NICE or encoding > own
    assert database == own == niceness()


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
