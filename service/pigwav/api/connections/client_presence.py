"""Detects that a client disconnects before the end of its body: an upload that cannot be completed is not converted.

While encoding lags behind, we do not read from the connection, and a connection that is not read does not report that
its other end has closed. So we ask the kernel.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        """To be called when the client has disconnected before its body's end. Cancels the block in `required`."""
        self._has_departed = True
        if self._required_by is not None:
            self._required_by.cancel()

    @contextmanager
    def required(self) -> Iterator[None]:
        """For a block that is useful only if the body is completed. If the client disconnects, this cancels whatever
        the block awaits and raises UploadBroken.
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


def presence_of(scope: Mapping[str, Any]) -> ClientPresence:
    """The ClientPresence that the server put into the request's scope. If there is none, one that never departs."""
    state: Mapping[str, ClientPresence] = scope.get("state") or {}
    return state.get(STATE_KEY) or ClientPresence()


class DepartureWatch:
    """Checks every second whether a body that is not being read can still be completed. Used on the event loop only.

    Does nothing for a body without a Content-Length.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        is_paused: Callable[[], bool],
        can_complete: Callable[[int], bool],
    ) -> None:
        """`is_paused()`: whether reading is paused. `can_complete(n)`: whether `n` more bytes can still arrive."""
        self._loop = loop
        self._is_paused = is_paused
        self._can_complete = can_complete
        self._missing_bytes: int | None = None  # None: the body has no Content-Length
        self._timer: asyncio.TimerHandle | None = None

    def body_begins(self, headers: list[tuple[bytes, bytes]]) -> None:
        """`headers`: the request's. The parser has already checked that a Content-Length is a number."""
        length = next((value for name, value in headers if name == b"content-length"), None)
        self._missing_bytes = None if length is None else int(length)

    def body_received(self, count: int, on_departure: Callable[[], None]) -> None:
        """`count` more bytes have been read. While reading is paused, calls `on_departure` if the rest of the body can
        no longer arrive.
        """
        if self._missing_bytes is None:
            return
        self._missing_bytes -= count
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
        if not self._is_paused() or not self._missing_bytes:
            return
        if self._can_complete(self._missing_bytes):
            self._schedule(on_departure)
        else:
            on_departure()


def can_complete(connection: socket.socket, missing_bytes: int) -> bool:
    """Whether so many bytes can still be read: those that the kernel has buffered and those that the client may send.

    Only Linux can tell; on other systems this is True.
    """
    if sys.platform != "linux":
        return True
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]  # tcpi_state: tcp(7)
    return state not in _CLOSED or _unread_bytes(connection) >= missing_bytes


def _unread_bytes(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", answer)[0])
