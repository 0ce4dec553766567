"""Refusals before the application sees a request: each is counted, and each kind is logged at most once a second."""

import asyncio
from typing import Final

from pigwav.errors import Limit
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

LOG_EVERY_S: Final = 1.0

Kind = tuple[str, Limit | None]


class Refusals:
    """The refusals of one process. Used on the event loop only.

    A process that refuses thousands of connections a second must not write a line about each. The first refusal of a
    kind (its code and limit) is logged at once; those of the following second have one line together, with their
    number.
    """

    def __init__(self, metrics: Metrics, *, log_every_s: float = LOG_EVERY_S) -> None:
        self._metrics = metrics
        self._log_every_s = log_every_s
        self._unlogged: dict[Kind, int] = {}
        """The number of refusals that are not logged yet, by kind. A kind is removed when its second is over."""

    def add(self, code: str, limit: Limit | None) -> None:
        """Count one refusal: in `pigwav_connections_ended_total` and, by its limit, in `pigwav_overloaded_total`."""
        self._metrics.connections_ended.labels(code).inc()
        if limit is not None:
            self._metrics.overloaded.labels(limit).inc()
        kind = (code, limit)
        if kind in self._unlogged:
            self._unlogged[kind] += 1
        else:
            self._log(kind, 1)

    def _log(self, kind: Kind, count: int) -> None:
        code, limit = kind
        log.info("refused", code=code, **({"limit": limit} if limit else {}), count=count)
        self._unlogged[kind] = 0
        asyncio.get_running_loop().call_later(self._log_every_s, self._log_the_rest, kind)

    def _log_the_rest(self, kind: Kind) -> None:
        if count := self._unlogged.pop(kind):
            self._log(kind, count)
