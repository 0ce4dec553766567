"""A stub of PigWav with prepared replies that records requests, to test clients."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import Any, Literal


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A response.

    - `reads`: read the request's body before the response, after it, or never (then the connection is closed).
    - `after`: wait for this event before the response.
    - `hangs_up_after_bytes`: close the connection after this many bytes of the body.
    - `ranges`: support the Range header.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reads: Literal["first", "after", "never"] = "first"
    after: Event | None = None
    hangs_up_after_bytes: int | None = None
    ranges: bool = False

    @classmethod
    def json(cls, status: int, document: Any, **headers: str) -> "Reply":
        kind = "application/json" if status < 400 else "application/problem+json"
        return cls(status, json.dumps(document).encode(), {"Content-Type": kind, **headers})

    @classmethod
    def mp3(cls, mp3: bytes, *, etag: str | None = None, **more: Any) -> "Reply":
        """The response of a link. `etag`: its SHA-256 (default: the real one)."""
        headers = {"ETag": f'"{etag or hashlib.sha256(mp3).hexdigest()}"', "Content-Type": "audio/mpeg"}
        return cls(200, mp3, headers, ranges=True, **more)

    def part(self, asked: str | None) -> "Reply":
        """The response to a request with this Range header."""
        if not self.ranges or asked is None or not (found := re.fullmatch(r"bytes=(\d+)-(\d*)", asked)):
            return self
        start, size = int(found[1]), len(self.body)
        if start >= size:
            return problem(
                416, "range-not-satisfiable", "No such range.", headers={"Content-Range": f"bytes */{size}"}
            )
        stop = min(size, int(found[2]) + 1) if found[2] else size
        headers = {**self.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        return replace(self, status=206, body=self.body[start:stop], headers=headers)


def problem(
    status: int, code: str, title: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> Reply:
    document = {"type": f"urn:pigwav:problem:{code}", "title": title, "status": status, "code": code, **more}
    reply = Reply.json(status, document)
    return replace(reply, headers={**reply.headers, **(headers or {})})


def one_after_the_other(*replies: Reply) -> Callable[[str, str], Reply]:
    """Replies in order, for `stub_service`. The last one is repeated."""
    left = list(replies)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


@dataclass(frozen=True)
class Stub:
    url: str
    received: list[Received]
    drained_bytes: list[int]
    """For each body that was read after the response: its received bytes."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for all requests

    def __init__(self, answer: Callable[[str, str], Reply], tls: SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answer = answer
        self.stub = Stub(f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}", [], [])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_HEAD(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        reply = self.server.answer(self.command, self.path).part(self.headers["Range"])
        body = self._body() if reply.reads == "first" else b""
        self.server.stub.received.append(Received(self.command, self.path, dict(self.headers), body))
        if reply.after is not None:
            reply.after.wait()
        with suppress(ConnectionError):  # the client left before the response
            self._send(reply)
        if reply.reads == "after":
            self.server.stub.drained_bytes.append(sum(map(len, self._blocks())))

    def _send(self, reply: Reply) -> None:
        length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
        leaving = {} if reply.reads == "first" else {"Connection": "close"}
        headers = {**length, **leaving, **reply.headers}
        whole = headers.get("Content-Length", "0") == str(len(reply.body))
        self.close_connection = reply.reads != "first" or not whole or reply.hangs_up_after_bytes is not None
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: reply.hangs_up_after_bytes])

    def _body(self) -> bytes:
        return b"".join(self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        return self._chunks() if "Transfer-Encoding" in self.headers else self._declared()

    def _declared(self) -> Iterator[bytes]:
        """The blocks of a body with Content-Length, until the client stops sending."""
        left = int(self.headers.get("Content-Length", 0))
        while left and (block := self.rfile.read(min(left, 65536))):
            left -= len(block)
            yield block

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *args: object) -> None:
        """Logs nothing."""


@contextmanager
def stub_service(answer: Callable[[str, str], Reply], *, tls: SSLContext | None = None) -> Iterator[Stub]:
    """Serves the replies of `answer(method, target)` on a free port."""
    with _Server(answer, tls) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.stub
        finally:
            server.shutdown()
            thread.join()
