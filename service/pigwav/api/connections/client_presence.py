"""Detects that a client disconnects before it has its answer: its upload is not converted any further.

While encoding lags behind, we do not read from the connection, and a connection that is not read does not report that
its other end has closed. So we ask the kernel.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from pigwav.errors import UploadBroken

STATE_KEY: Final = "pigwav.client_presence"
"""The key in the scope's `state`."""

CHECK_EVERY_S: Final = 1.0

_CLOSED: Final = (7, 8)
"""TCP_CLOSE (it was reset) and TCP_CLOSE_WAIT (the other end is closed): include/net/tcp_states.h of Linux."""


class ClientPresence:
    """Whether the client of one request is still connected. Used on the event loop only."""

    def __init__(self) -> None:
        self._has_departed = False
        self._required_by: asyncio.Task[Any] | None = None

    def departed(self) -> None:
        """To be called when the client has disconnected. Cancels the block in `required`."""
        self._has_departed = True
        if self._required_by is not None:
            self._required_by.cancel()

    @contextmanager
    def required(self) -> Iterator[None]:
        """For a block that is useful only if its client gets the answer. If the client disconnects, this cancels
        whatever the block awaits and raises UploadBroken.
        """
        self._required_by = asyncio.current_task()
        try:
            if self._has_departed:
                raise UploadBroken
            yield
        except asyncio.CancelledError:
            if self._has_departed and self._required_by and self._required_by.uncancel() == 0:
                raise UploadBroken from None
            raise  # the server stops
        finally:
            self._required_by = None

    @contextmanager
    def while_connected(self) -> Iterator[None]:
        """For a block that sends an answer. If the client disconnects, ends the block at once, without an error."""
        with suppress(UploadBroken), self.required():
            yield


def presence_of(scope: Mapping[str, Any]) -> ClientPresence:
    """The ClientPresence that the server put into the request's scope. If there is none, one that never departs."""
    state: Mapping[str, ClientPresence] = scope.get("state") or {}
    return state.get(STATE_KEY) or ClientPresence()


class DepartureWatch:
    """Checks every second whether the client is still connected, as long as reading is paused. Used on the event loop
    only.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        is_paused: Callable[[], bool],
        is_connected: Callable[[], bool],
    ) -> None:
        """`is_paused()`: whether reading is paused. `is_connected()`: see the function of this name."""
        self._loop = loop
        self._is_paused = is_paused
        self._is_connected = is_connected
        self._timer: asyncio.TimerHandle | None = None

    def start(self, on_departure: Callable[[], None]) -> None:
        """To be called when reading may have been paused. Calls `on_departure` if the client leaves before reading goes
        on.
        """
        if self._timer is None and self._is_paused():
            self._schedule(on_departure)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, on_departure: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(CHECK_EVERY_S, self._check, on_departure)

    def _check(self, on_departure: Callable[[], None]) -> None:
        self._timer = None
        if not self._is_paused():
            return
        if self._is_connected():
            self._schedule(on_departure)
        else:
            on_departure()


def is_connected(connection: socket.socket) -> bool:
    """Whether the other end has not closed its side. A client that has closed it gets no answer, even if it has sent
    its whole request: asyncio closes a connection whose end it reads.

    Only Linux can tell; on other systems this is True.
    """
    if sys.platform != "linux":
        return True
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]  # tcpi_state: tcp(7)
    return state not in _CLOSED
