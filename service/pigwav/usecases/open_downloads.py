"""How many downloads are open: asked before another one is begun."""

from collections.abc import Iterator
from contextlib import contextmanager

from pigwav.errors import Overloaded
from pigwav.telemetry.metrics import Metrics


class OpenDownloads:
    """The bound of one process: each holds a connection to the object store. Used on the event loop only."""

    def __init__(self, *, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._open = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """A place for one download, to its last byte. Raises Overloaded."""
        if self._open >= self._most:
            raise Overloaded
        self._count(+1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._open += change
        self._metrics.downloads_open.inc(change)
