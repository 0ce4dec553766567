"""Lanes: the only way from the event loop into threads.

Blocking work is a plain function; a lane runs it on one of a fixed number of threads. Cancelling the caller does
not stop a thread, so a lane call that has begun is always waited for: when `await lane(...)` ends, in whatever way,
nothing of it is still running, and clean-up after it cannot be overtaken.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """At most `width` blocking calls at a time; further calls wait their turn, first come first served."""

    def __init__(self, name: str, *, width: int) -> None:
        self.name = name
        self.width = width
        self._threads = ThreadPoolExecutor(max_workers=width, thread_name_prefix=f"pigwav-{name}")

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` on a thread. When cancelled: withdraw it if it has not begun, else wait for its end."""
        job: Future[T] = self._threads.submit(call, *args, **kwargs)
        done = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not job.cancel():
                await _settled(done)
            raise

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


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
        return cls(Lane("db", width=db), Lane("store", width=store), Lane("cpu", width=cpu))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in (self.cpu, self.store, self.db):
            lane.close()
