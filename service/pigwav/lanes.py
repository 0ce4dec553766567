"""Lanes: the only way from the event loop into threads.

Blocking work is a plain function; a lane runs it on one of a fixed number of threads. Cancelling the caller does
not stop a thread, so a lane call that has begun is always waited for: when `await lane(...)` ends, in whatever way,
nothing of it is still running, and clean-up after it cannot be overtaken.
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


class Lane:
    """At most `width` blocking calls at a time; further calls wait their turn, first come first served.

    An upload that is open waits as long as it takes: that is how it is slowed down. What has just come does not:
    it uses the lane `within` a time.
    """

    def __init__(self, name: str, *, width: int, gives_way: bool = False) -> None:
        """`gives_way`: its threads take the processor after the event loop, where both want it."""
        self.name = name
        self.width = width
        self._threads = ThreadPoolExecutor(
            max_workers=width,
            thread_name_prefix=f"pigwav-{name}",
            initializer=_give_way if gives_way else None,
        )
        self._queue: deque[tuple[float, Future[Any]]] = deque()
        self._patience: tuple[float, Limit] | None = None

    def within(self, wait_s: float, limit: Limit) -> Self:
        """The same lane for callers who would rather be refused: a call that has not begun after `wait_s` is withdrawn,
        and if the oldest one has been waiting for half of that, another one does not even queue. Both raise
        Overloaded by `limit`.
        """
        impatient = copy(self)
        impatient._patience = (wait_s, limit)  # noqa: SLF001 - it is one of us
        return impatient

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` on a thread. When cancelled: withdraw it if it has not begun, else wait for its end."""
        longest_wait_s = self.longest_wait_s()
        if self._patience is not None and longest_wait_s > self._patience[0] / 2:
            raise Overloaded(self._patience[1])
        job: Future[T] = self._threads.submit(call, *args, **kwargs)
        self._queue.append((time.monotonic(), job))
        done = asyncio.wrap_future(job)
        try:
            if self._patience is not None:
                wait_s, limit = self._patience
                await asyncio.wait({done}, timeout=wait_s)
                if job.cancel():
                    raise Overloaded(limit)
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not job.cancel():
                await _settled(done)
            raise

    def longest_wait_s(self) -> float:
        """How long the oldest of the calls that have not begun has been waiting."""
        while self._queue and (self._queue[0][1].running() or self._queue[0][1].done()):
            self._queue.popleft()
        return time.monotonic() - self._queue[0][0] if self._queue else 0.0

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    """Where there is more to encode than can be, the event loop still gets its share, and who comes is at least refused
    soon (tests/bench/load.py: three times as fast). Only on Linux does a nice value belong to a thread.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # forbidden in a sandbox: we do without
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), ENCODER_NICE)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end however often the caller is cancelled meanwhile; then be cancelled, if so."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _settled(task)
        raise


async def _settled(done: "asyncio.Future[T]") -> None:
    """Wait for `done` however often the waiter is cancelled meanwhile; its result no longer matters."""
    while not done.done():
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError:
            continue
    if not done.cancelled():
        done.exception()  # marks it as seen


@dataclass(frozen=True)
class Lanes:
    """The three kinds of blocking work: a transaction, a call to the object store, a block through the encoder."""

    db: Lane
    store: Lane
    cpu: Lane

    @classmethod
    def open(cls, *, db: int, store: int, cpu: int) -> Self:
        return cls(Lane("db", width=db), Lane("store", width=store), Lane("cpu", width=cpu, gives_way=True))

    def within(self, wait_s: float) -> "Lanes":
        """For those who do not wait for a database or a store that is busy for longer."""
        return Lanes(self.db.within(wait_s, Limit.DATABASE), self.store.within(wait_s, Limit.STORE), self.cpu)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in (self.cpu, self.store, self.db):
            lane.close()
