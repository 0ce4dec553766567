"""An executor without a free thread."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pigwav.executors import BoundedExecutor


@contextmanager
def full(executor: BoundedExecutor) -> Iterator[None]:
    """During the block, all threads of the executor are busy and one call waits."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go.wait(30)

    with ThreadPoolExecutor(executor.width + 1) as callers:
        calls = [callers.submit(lambda: asyncio.run(executor(work))) for _ in range(executor.width + 1)]
        for _ in range(executor.width):
            assert begun.acquire(timeout=10)
        try:
            yield
        finally:
            go.set()
            for call in calls:
                call.result()
