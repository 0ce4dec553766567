"""An event loop in a thread, for proxies that run while a test does."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on its own thread for callers on other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` and returns its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


@contextmanager
def background_loop() -> Iterator[BackgroundLoop]:
    """On exit, cancels the tasks that still run."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="between")
    thread.start()
    background = BackgroundLoop(loop)
    try:
        yield background
    finally:
        background.run(_end_all())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
