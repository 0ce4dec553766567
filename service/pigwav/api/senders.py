"""Whether the sender of a body is still there: an upload whose body can no longer come is not worth converting.

Who converts slower than bytes come in does not read meanwhile, and a connection that is not read does not tell that
its other end has left; the kernel, asked, does.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pigwav.errors import UploadBroken

STATE: Final = "pigwav.sender"
"""In the scope's `state`."""

_CLOSED: Final = (7, 8)
"""TCP_CLOSE (it was reset) and TCP_CLOSE_WAIT (the other end is closed): include/net/tcp_states.h of Linux."""


class Sender:
    """Who sends the body of one request. Used on the event loop only."""

    def __init__(self) -> None:
        self._is_gone = False
        self._needing: asyncio.Task[Any] | None = None

    def leaves(self) -> None:
        """Before the body's end."""
        self._is_gone = True
        if self._needing is not None:
            self._needing.cancel()

    @contextmanager
    def needed(self) -> Iterator[None]:
        """A block that is worth its while only if the body comes to its end; raises UploadBroken in the middle of
        whatever it waits for.
        """
        self._needing = asyncio.current_task()
        try:
            if self._is_gone:
                raise UploadBroken
            yield
        except asyncio.CancelledError:
            if self._is_gone and self._needing and self._needing.uncancel() == 0:
                raise UploadBroken from None
            raise  # the server stops
        finally:
            self._needing = None


def sender_of(scope: Mapping[str, Any]) -> Sender:
    """Where the server tells nothing, one who stays."""
    state: Mapping[str, Sender] = scope.get("state") or {}
    return state.get(STATE) or Sender()


def can_still_come(connection: socket.socket, missing_bytes: int) -> bool:
    """Whether so many bytes may come, of those that have come and were not read and of those that are to come.

    True where it cannot be known: this asks Linux.
    """
    if sys.platform != "linux":
        return True
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]  # its first byte: tcp(7)
    return state not in _CLOSED or _unread_bytes(connection) >= missing_bytes


def _unread_bytes(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", answer)[0])
