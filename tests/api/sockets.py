"""Raw HTTP over sockets, for requests that no HTTP library sends."""

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self

from accounts import Account
from serving import ServedApi


def connect(api: ServedApi) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", api.port), timeout=30))


def upload_head(account: Account, *lines: str) -> bytes:
    """The head of a raw upload. `lines`: the fields that frame its body."""
    text = "\r\n".join(
        ("Host: localhost", "Content-Type: audio/wav", f"Authorization: Bearer {account.token}", *lines)
    )
    return f"POST /records?user={account.id} HTTP/1.1\r\n{text}\r\n\r\n".encode()


@dataclass(frozen=True)
class Answer:
    """The first response on a connection. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    connection: socket.socket

    @classmethod
    def read(cls, connection: socket.socket, received: bytes = b"") -> Self:
        """Reads a response. `received`: the bytes of it that were already read."""
        while b"\r\n\r\n" not in received:
            received += _more(connection)
        start, _, body = received.partition(b"\r\n\r\n")
        status, *fields = start.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        while len(body) < int(headers.get("content-length", "0")):  # 100 Continue has none
            body += _more(connection)
        return cls(int(status.split()[1]), headers, body, connection)

    def document(self) -> dict[str, Any]:
        return json.loads(self.body)

    def assert_problem(self, status: int, code: str) -> None:
        assert (self.status, self.document()["code"]) == (status, code)
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["x-request-id"]
        assert ("retry-after" in self.headers) == (status == 503)

    def ends_the_connection(self) -> bool:
        """Whether the response has Connection: close and nothing follows it."""
        try:
            rest = self.connection.recv(1)
        except ConnectionResetError:
            rest = b""
        return rest == b"" and self.headers["connection"] == "close"


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the connection ended before the answer"
    return data
