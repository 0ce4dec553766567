"""Executors: the only way to run blocking work from the event loop.

Blocking work is a plain function; an executor runs it on one of a fixed number of threads. Cancelling the caller does
not stop a thread; therefore a call that has begun is always awaited. When `await executor(...)` ends, for whatever
reason, no part of the call is still running that could interfere with the clean-up that follows.
"""

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from pigwav.errors import Limit, Overloaded

ENCODER_NICE: Final = 5

P = ParamSpec("P")
T = TypeVar("T")


class BoundedExecutor:
    """Runs at most `width` blocking calls at a time; further calls wait in a queue, first in, first out.

    A call of an open upload waits as long as necessary: this back-pressure slows its client down. A new request waits
    only for a limited time: it uses the executor that `within` returns.
    """

    def __init__(self, name: str, *, width: int, gives_way: bool = False) -> None:
        """`gives_way`: its threads have a lower CPU priority than the event loop (Linux only)."""
        self.name = name
        self.width = width
        self._threads = ThreadPoolExecutor(
            max_workers=width,
            thread_name_prefix=f"pigwav-{name}",
            initializer=_give_way if gives_way else None,
        )
        self._queue: deque[tuple[float, Future[Any]]] = deque()
        self._unfinished: set[Future[Any]] = set()
        self._queue_timeout: tuple[float, Limit] | None = None

    def within(self, wait_s: float, limit: Limit) -> Self:
        """The same executor with a limit on the wait. A call that has not begun after `wait_s` leaves the queue. If the
        oldest call has waited for more than half of `wait_s`, no further call is queued. Both raise Overloaded(limit).
        """
        limited = copy(self)
        limited._queue_timeout = (wait_s, limit)  # noqa: SLF001 - an object of the same class
        return limited

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `call` on a thread. If cancelled: withdraws the call if it has not begun, else waits for its end."""
        longest_wait_s = self.longest_wait_s()
        if self._queue_timeout is not None and longest_wait_s > self._queue_timeout[0] / 2:
            raise Overloaded(self._queue_timeout[1])
        job: Future[T] = self._threads.submit(call, *args, **kwargs)
        self._queue.append((time.monotonic(), job))
        self._unfinished.add(job)
        done = asyncio.wrap_future(job)
        try:
            if self._queue_timeout is not None:
                wait_s, limit = self._queue_timeout
                await asyncio.wait({done}, timeout=wait_s)
                if job.cancel():
                    raise Overloaded(limit)
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not job.cancel():
                await _settled(done)
            raise
        finally:
            self._unfinished.discard(job)

    @property
    def idle_threads(self) -> int:
        """How many more calls would begin at once. Negative: so many calls wait in the queue."""
        return self.width - len(self._unfinished)

    def longest_wait_s(self) -> float:
        """How long the oldest call in the queue has been waiting, in seconds."""
        while self._queue and (self._queue[0][1].running() or self._queue[0][1].done()):
            self._queue.popleft()
        return time.monotonic() - self._queue[0][0] if self._queue else 0.0

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    """Lowers this thread's priority: if the encoder is overloaded, the event loop still refuses new requests quickly
    (tests/bench/load.py: three times as fast). A nice value belongs to a thread only on Linux.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it; it is optional
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), ENCODER_NICE)


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to completion even if the caller is cancelled, any number of times; then raises CancelledError."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _settled(task)
        raise


async def _settled(done: "asyncio.Future[T]") -> None:
    """Waits for `done` even if the waiter is cancelled, any number of times. Ignores its result."""
    while not done.done():
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError:
            continue
    if not done.cancelled():
        done.exception()  # marks it as seen


@dataclass(frozen=True)
class Executors:
    """The executors for the four kinds of blocking work: database transactions, object store calls, encoding, and
    drawing cards.
    """

    db: BoundedExecutor
    store: BoundedExecutor
    cpu: BoundedExecutor
    cards: BoundedExecutor

    @classmethod
    def open(cls, *, db: int, store: int, cpu: int) -> Self:
        return cls(
            BoundedExecutor("db", width=db),
            BoundedExecutor("store", width=store),
            BoundedExecutor("cpu", width=cpu, gives_way=True),
            # Not the encoder's threads: no block of audio waits behind pictures.
            BoundedExecutor("cards", width=1, gives_way=True),
        )

    def within(self, wait_s: float) -> "Executors":
        """The same executors for calls that wait at most `wait_s`, except for the encoder."""
        return Executors(
            self.db.within(wait_s, Limit.DATABASE),
            self.store.within(wait_s, Limit.STORE),
            self.cpu,
            self.cards.within(wait_s, Limit.CARDS),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for executor in (self.cards, self.cpu, self.store, self.db):
            executor.close()
