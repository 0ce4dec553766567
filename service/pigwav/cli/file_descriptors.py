"""The limit of open file descriptors, and the number of connections that fits it."""

import resource
import sys
from contextlib import suppress
from typing import Final

from pigwav.api.listeners import OPERATOR_CONNECTIONS
from pigwav.settings import Settings
from pigwav.telemetry.logs import log

_ENOUGH: Final = (1 << 16, 10_240)
"""Limits to ask for, in this order. More than the first has no benefit; macOS grants the second to any process."""

_OWN: Final = 100
"""Descriptors for program files, logs and internal pipes."""

_PER_DECODER: Final = 4
"""Descriptors for the pipes of one ffmpeg process."""


def raise_limit() -> int:
    """Raises the soft limit as far as needed and allowed, and returns it. The hard limit is often many times higher."""
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
    """The same settings with no more connections than `limit` file descriptors allow: otherwise many clients could
    use the descriptors that uploads need. Logs a warning if even uploads and downloads do not fit.
    """
    limits, http = settings.limits, settings.http
    others = _OWN + settings.database.pool_size + settings.store.concurrency
    others += OPERATOR_CONNECTIONS if http.operator_bind else 0
    others += http.max_open_downloads + _PER_DECODER * limits.max_decoders  # a download reads from the store
    free = limit - others
    busiest = limits.max_open_uploads + http.max_open_downloads
    if free < busiest:
        log.warning("file_descriptors_too_few", limit=limit, needed=others + busiest)
    if free >= http.max_connections:
        return settings
    http = http.model_copy(update={"max_connections": max(free, limit // 2)})
    return settings.model_copy(update={"http": http})
