"""How many uploads are open, and how much memory they may hold: asked before anything is received."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pigwav.errors import Overloaded, ShuttingDown
from pigwav.store.base import PART_BYTES
from pigwav.telemetry.metrics import Metrics

MOST_HELD_BYTES = 3 * PART_BYTES
"""Parts of one upload in memory: held, filling, in flight."""


class OpenUploads:
    """The bounds of one process. Used on the event loop only, so plain numbers are enough."""

    def __init__(self, *, most: int, most_bytes: int, metrics: Metrics) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._metrics = metrics
        self._open = 0
        self._reserved_bytes = 0
        self._closing = False
        self._none_open = asyncio.Event()
        self._none_open.set()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """A place for one upload, from its first byte to its answer. Raises Overloaded, ShuttingDown."""
        if self._closing:
            raise ShuttingDown
        if self._open >= self._most:
            raise Overloaded
        self._count(+1)
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def memory(self, mp3_bytes: int | None) -> Iterator[None]:
        """Memory for an MP3 of so many bytes (None: nobody knows) on its way to the store. Raises Overloaded."""
        wanted = MOST_HELD_BYTES if mp3_bytes is None else min(mp3_bytes, MOST_HELD_BYTES)
        if self._reserved_bytes + wanted > self._most_bytes:
            raise Overloaded
        self._reserve(+wanted)
        try:
            yield
        finally:
            self._reserve(-wanted)

    def close(self) -> None:
        """Take no more uploads."""
        self._closing = True

    async def drained(self) -> None:
        """Return when no upload is open, its clean-up included."""
        await self._none_open.wait()

    def _count(self, change: int) -> None:
        self._open += change
        self._metrics.uploads_open.inc(change)
        if self._open:
            self._none_open.clear()
        else:
            self._none_open.set()

    def _reserve(self, change: int) -> None:
        self._reserved_bytes += change
        self._metrics.reserved_bytes.inc(change)
