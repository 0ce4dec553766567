"""Detects stalled clients: a client that stops reading its answer would keep a download open for ever."""

import asyncio
from collections.abc import Callable
from typing import Final

CHECKS: Final = 4
"""How often the number of unread bytes is checked within `idle_s`."""


class StallWatch:
    """Watches whether a client reads what is written to its connection. Used on the event loop only."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, idle_s: float, untaken_bytes: Callable[[], int]
    ) -> None:
        self._loop = loop
        self._check_every_s = idle_s / CHECKS
        self._untaken_bytes = untaken_bytes
        self._timer: asyncio.TimerHandle | None = None
        self._seen_bytes = 0
        self._idle_checks = 0

    def start(self, on_stalled: Callable[[], None]) -> None:
        """Calls `on_stalled` if the client reads nothing for `idle_s` seconds; ends when it has read everything.

        If the watch is already running, it is not restarted.
        """
        if self._timer is None and (untaken := self._untaken_bytes()):
            self._seen_bytes, self._idle_checks = untaken, 0
            self._schedule(on_stalled)

    def progressed(self) -> None:
        """To be called when the client has read bytes: `untaken_bytes` does not show it if as many were written."""
        self._idle_checks = 0

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, on_stalled: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(self._check_every_s, self._check, on_stalled)

    def _check(self, on_stalled: Callable[[], None]) -> None:
        self._timer = None
        before, self._seen_bytes = self._seen_bytes, self._untaken_bytes()
        self._idle_checks = self._idle_checks + 1 if self._seen_bytes == before else 0
        if self._idle_checks >= CHECKS:
            on_stalled()
        elif self._seen_bytes:
            self._schedule(on_stalled)
