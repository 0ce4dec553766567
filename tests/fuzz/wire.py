"""Sends raw requests over a socket, so that they may be malformed, and reads the responses."""

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

DEADLINE_S: Final = 30.0
_RECV_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request that may be malformed.

    - `headers`: Host, Connection and Content-Length are added.
    - `raw`: if set, sent instead of everything else.
    - `says_bytes`: a false Content-Length (None: the real one).
    - `leaves`: the client closes its side after sending, instead of waiting.
    """

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    says_bytes: int | None = None
    leaves: bool = False

    @property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")

    def bytes_to_send(self) -> bytes:
        if self.raw is not None:
            return self.raw
        names = {name.lower() for name, _ in self.headers}
        head = [b"%s %s HTTP/1.1" % (self.method.encode(), self.target)]
        if b"host" not in names:
            head.append(b"Host: 127.0.0.1")
        head += [b"%s: %s" % header for header in self.headers]
        if b"transfer-encoding" not in names and (self.body or self.method in ("POST", "PATCH")):
            length = len(self.body) if self.says_bytes is None else self.says_bytes
            head.append(b"Content-Length: %d" % length)
        return b"\r\n".join((*head, b"Connection: close", b"", self.body))


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection ended without a response. `late`: there was none within DEADLINE_S."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    late: bool = False

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


def sent(url: str, request: Request) -> Answer:
    """Sends the request and returns the response."""
    address = urlsplit(url)
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=DEADLINE_S
    ) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # the service has answered early
            connection.sendall(request.bytes_to_send())
            if request.leaves:
                connection.shutdown(socket.SHUT_WR)
        try:
            return _read(connection, request.method)
        except TimeoutError:
            return Answer(0, late=True)
        except (HTTPException, ConnectionResetError):
            return Answer(0)


def _read(connection: socket.socket, method: str) -> Answer:
    with HTTPResponse(connection, method=method) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
