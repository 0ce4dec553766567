"""Limits the number of open downloads."""

from collections.abc import Iterator
from contextlib import contextmanager

from pigwav.errors import Limit, Overloaded
from pigwav.telemetry.metrics import Metrics


class OpenDownloads:
    """The limit per process: each download holds a connection to the object store. Used on the event loop only."""

    def __init__(self, *, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._open = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Counts a download until its last byte. Raises Overloaded."""
        if self._open >= self._limit:
            raise Overloaded(Limit.DOWNLOADS)
        self._count(+1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._open += change
        self._metrics.downloads_open.inc(change)
