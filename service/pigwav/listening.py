"""The socket that the API answers on."""

import errno
import os
import socket
from typing import Final

from pigwav.errors import AddressInUse

BACKLOG: Final = 2048
"""Connections that the kernel queues until we accept them."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0: any free port. Raises AddressInUse with the reason.

    It listens at once: if a client connects before the API is ready, it waits in the queue.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise AddressInUse(f"Cannot listen on {host}: {error.strerror}.") from error
    except OSError as error:
        raise AddressInUse(f"Cannot listen on {host} port {port}: {_reason(error)}.") from error


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reachable_url_of(listening: socket.socket) -> str:
    """A URL for clients on this machine: the loopback address in place of 0.0.0.0 and [::]."""
    url = url_of(listening)
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program uses it; choose another with --port"
    # create_server adds the address to the message, in the form of a tuple
    return os.strerror(error.errno or 0).lower()
