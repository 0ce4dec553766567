"""How many files and sockets this process may open at a time, and whether that is enough."""

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
    soft, hard = (_finite(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    for wanted in _ENOUGH:
        if soft < min(wanted, hard):
            with suppress(OSError, ValueError):  # a hard limit is not always granted
                resource.setrlimit(
                    resource.RLIMIT_NOFILE,
                    (min(wanted, hard), resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
                )
                return min(wanted, hard)
    return soft


def _finite(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def fitted(settings: Settings, limit: int) -> Settings:
    """The same settings with no more connections than `limit` open files leave room for: else a crowd of clients would
    take the files that uploads need. What cannot be met is logged.
    """
    room = limit - _not_connections(settings)
    wanted = settings.http.max_connections
    busiest = settings.limits.max_open_uploads + settings.http.max_open_downloads
    if room < busiest:
        log.warning("open_files_too_few", limit=limit, needed=limit - room + busiest)
    if room >= wanted:
        return settings
    http = settings.http.model_copy(update={"max_connections": max(room, limit // 2)})
    return settings.model_copy(update={"http": http})


def _not_connections(settings: Settings) -> int:
    """A download has a connection to the store beside that to its listener."""
    limits, store = settings.limits, settings.store
    return (
        _OWN
        + settings.database.pool_size
        + store.concurrency
        + settings.http.max_open_downloads
        + _PER_DECODER * limits.max_decoders
    )
