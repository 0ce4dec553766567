"""The sockets that the API answers on."""

import errno
import os
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pigwav.errors import AddressInUse

BACKLOG: Final = 2048
"""Connections that the kernel queues until we accept them."""


def listen(host: str, port: int, *, named_by: str = "--port") -> socket.socket:
    """A listening TCP socket; port 0: any free port. `named_by`: the option or setting that names the address.

    Raises AddressInUse with the reason.

    It listens at once: if a client connects before the API is ready, it waits in the queue.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise AddressInUse(f"Cannot listen on {host}: {error.strerror}.") from error
    except OSError as error:
        raise AddressInUse(f"Cannot listen on {host} port {port}: {_reason(error, named_by)}.") from error


@dataclass(frozen=True)
class Listeners:
    """The socket for everybody, and the one for operators, if there is one. Closes them at the end of a block."""

    public: socket.socket
    operator: socket.socket | None = None

    @classmethod
    def open(cls, host: str, port: int, operator: tuple[str, int] | None) -> Self:
        """`operator`: host and port of PIGWAV_OPERATOR_BIND. Raises AddressInUse with the reason."""
        public = listen(host, port)
        try:
            return cls(public, operator and listen(*operator, named_by="PIGWAV_OPERATOR_BIND"))
        except AddressInUse:
            public.close()
            raise

    @classmethod
    def inherited(cls, public: int, operator: int | None) -> Self:
        """The sockets of file descriptors that the parent process has passed on."""
        return cls(socket.socket(fileno=public), None if operator is None else socket.socket(fileno=operator))

    @property
    def sockets(self) -> list[socket.socket]:
        return [self.public, *([self.operator] if self.operator else [])]

    def close(self) -> None:
        for each in self.sockets:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reachable_url_of(listening: socket.socket) -> str:
    """A URL for clients on this machine: the loopback address in place of 0.0.0.0 and [::]."""
    url = url_of(listening)
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _reason(error: OSError, named_by: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another program uses it; choose another with {named_by}"
    # create_server adds the address to the message, in the form of a tuple
    return os.strerror(error.errno or 0).lower()
