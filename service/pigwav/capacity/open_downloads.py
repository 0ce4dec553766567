"""Limits the number of open downloads."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from pigwav.errors import Limit
from pigwav.shares import Shares
from pigwav.telemetry.metrics import Metrics


class OpenDownloads:
    """The limit per process: each download holds a connection to the object store. Used on the event loop only."""

    def __init__(self, *, limit: int, metrics: Metrics) -> None:
        self._places = Shares(limit, limit=Limit.DOWNLOADS, share=Limit.DOWNLOADS_SHARE)
        self._metrics = metrics

    @contextmanager
    def one_more(self, address: Hashable) -> Iterator[None]:
        """Counts a download of `address` until its last byte. Raises Overloaded."""
        with self._places.take((address,)), self._metrics.downloads_open.track_inprogress():
            yield
