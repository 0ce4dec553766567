"""How many file descriptors this process may have open at a time, and whether they are enough."""

import resource
import sys
from contextlib import suppress
from typing import Final

from pigwav.settings import Settings
from pigwav.telemetry.logs import log

_ENOUGH: Final = (1 << 16, 10_240)
"""More than the first helps nobody; the second is what macOS grants any process that asks."""

_OWN: Final = 100
"""Program files, logs, pipes to ourselves."""

_PER_DECODER: Final = 4
"""Pipes of an ffmpeg."""


def raise_limit() -> int:
    """Take as many as an ordinary process may have, which is often a multiple of what it is given; answers it."""
    soft, hard = (
        sys.maxsize if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    for wanted in _ENOUGH:
        if soft < min(wanted, hard):
            with suppress(OSError, ValueError):  # a hard limit is not always granted
                resource.setrlimit(
                    resource.RLIMIT_NOFILE,
                    (min(wanted, hard), resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
                )
                return min(wanted, hard)
    return soft


def fit_connections(settings: Settings, limit: int) -> Settings:
    """The same settings with no more connections than `limit` file descriptors allow: else many clients would
    take those that uploads need. If even uploads and downloads do not fit, that is logged.
    """
    limits, http = settings.limits, settings.http
    others = _OWN + settings.database.pool_size + settings.store.concurrency
    others += http.max_open_downloads + _PER_DECODER * limits.max_decoders  # a download reads from the store
    free = limit - others
    busiest = limits.max_open_uploads + http.max_open_downloads
    if free < busiest:
        log.warning("file_descriptors_too_few", limit=limit, needed=others + busiest)
    if free >= http.max_connections:
        return settings
    http = http.model_copy(update={"max_connections": max(free, limit // 2)})
    return settings.model_copy(update={"http": http})
