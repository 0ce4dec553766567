"""Executors: cancellation, queue timeouts, width. A call that has started is always waited for."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pigwav.errors import Limit, Overloaded
from pigwav.executors import ENCODER_NICE, BoundedExecutor, Executors, run_to_completion


@pytest.fixture
def executor() -> Iterator[BoundedExecutor]:
    executor = BoundedExecutor("test", width=1)
    yield executor
    executor.close()


def test_an_executor_answers_what_the_call_returns_or_raises(executor: BoundedExecutor) -> None:
    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        assert await executor(divmod, 7, 2) == (3, 1)
        with pytest.raises(ValueError, match="no"):
            await executor(fail)

    asyncio.run(run())


def test_a_cancelled_caller_waits_for_the_call_that_has_begun(executor: BoundedExecutor) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)
        ended.set()

    async def run() -> None:
        caller = asyncio.create_task(executor(work))
        await asyncio.to_thread(begun.wait)
        for _ in range(3):  # repeated cancellation makes no difference
            caller.cancel()
            await asyncio.sleep(0)
        assert not caller.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended.is_set()

    asyncio.run(run())


def test_a_cancelled_caller_withdraws_a_call_that_has_not_begun(executor: BoundedExecutor) -> None:
    begun, go, calls = threading.Event(), threading.Event(), []

    def occupy() -> None:
        begun.set()
        go.wait(10)

    async def run() -> None:
        first = asyncio.create_task(executor(occupy))
        await asyncio.to_thread(begun.wait)
        second = asyncio.create_task(executor(calls.append, 1))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go.set()
        await first

    asyncio.run(run())
    assert calls == []


@contextmanager
def occupied(executor: BoundedExecutor) -> Iterator[None]:
    """The executor's only thread is busy until the end of the block."""
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as caller:
        busy = caller.submit(lambda: asyncio.run(executor(work)))
        begun.wait(10)
        try:
            yield
        finally:
            go.set()
            busy.result()


async def is_refused(executor: BoundedExecutor) -> bool:
    try:
        await executor(lambda: None)
    except Overloaded:
        return True
    return False


def test_a_call_that_does_not_get_its_turn_in_time_is_refused_and_never_runs(
    executor: BoundedExecutor,
) -> None:
    calls: list[int] = []

    async def run() -> None:
        with pytest.raises(Overloaded):
            await executor.within(0.05, Limit.DATABASE)(calls.append, 1)

    with occupied(executor):
        asyncio.run(run())
    asyncio.run(executor(calls.append, 2))
    assert calls == [2]


def test_behind_a_call_that_has_waited_for_long_nobody_else_queues(executor: BoundedExecutor) -> None:
    async def run() -> None:
        patient = asyncio.create_task(executor(lambda: None))
        assert await is_refused(executor.within(0.1, Limit.DATABASE))
        with pytest.raises(Overloaded):
            executor.within(0.1, Limit.DATABASE)(lambda: None).send(
                None
            )  # refused in its first step, without waiting
        patient.cancel()
        await asyncio.wait({patient})
        assert await is_refused(executor.within(0.01, Limit.DATABASE))  # it waits again, without success

    with occupied(executor):
        asyncio.run(run())
    assert not asyncio.run(is_refused(executor.within(10, Limit.DATABASE)))


def test_a_patient_call_waits_as_long_as_it_takes(executor: BoundedExecutor) -> None:
    async def run() -> None:
        with occupied(executor):
            patient = asyncio.create_task(executor(divmod, 7, 2))
            assert await is_refused(executor.within(0.05, Limit.DATABASE))
            assert not patient.done()
        assert await patient == (3, 1)

    asyncio.run(run())


def test_a_call_that_has_begun_is_waited_for_however_impatient_its_caller(executor: BoundedExecutor) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return go.wait(10)

    async def run() -> None:
        caller = asyncio.create_task(executor.within(0.5, Limit.DATABASE)(work))
        await asyncio.to_thread(begun.wait)
        assert await is_refused(executor.within(0.6, Limit.DATABASE))
        assert not caller.done()
        go.set()
        assert await caller

    asyncio.run(run())


def test_no_more_calls_run_at_a_time_than_the_executor_is_wide() -> None:
    wide, most, now, lock = BoundedExecutor("wide", width=3), 0, 0, threading.Lock()
    full = threading.Barrier(3, timeout=60)

    def work() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        full.wait()  # passes only if three calls run at the same time
        with lock:
            now -= 1

    async def run() -> None:
        await asyncio.gather(*(wide(work) for _ in range(9)))

    asyncio.run(run())
    wide.close()
    assert most == 3


def test_idle_threads_are_counted_and_below_zero_the_calls_that_wait() -> None:
    wide, go = BoundedExecutor("wide", width=2), threading.Event()

    async def run() -> list[int]:
        found, calls = [wide.idle_threads], []
        for _ in range(3):
            calls.append(asyncio.create_task(wide(go.wait, 10)))
            await asyncio.sleep(0)
            found.append(wide.idle_threads)
        calls.pop().cancel()
        await asyncio.sleep(0)
        found.append(wide.idle_threads)
        go.set()
        await asyncio.gather(*calls)
        return [*found, wide.idle_threads]

    found = asyncio.run(run())
    wide.close()
    assert found == [2, 1, 0, -1, 0, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has nice values per thread")
def test_only_encoding_threads_give_way_to_the_event_loop() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def run(executors: Executors) -> tuple[int, int]:
        return await executors.cpu(niceness), await executors.db(niceness)

    own = niceness()
    with Executors.open(db=1, store=1, cpu=1) as executors:
        encoding, database = asyncio.run(run(executors))
    assert encoding == ENCODER_NICE or encoding > own
    assert database == own == niceness()


def test_work_runs_to_its_end_however_often_the_caller_is_cancelled() -> None:
    steps = []

    async def work() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)

    async def run() -> None:
        caller = asyncio.create_task(run_to_completion(work()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller

    asyncio.run(run())
    assert steps == [0, 1, 2, 3, 4]
