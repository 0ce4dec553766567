"""A service that answers what the test says and remembers what it was sent: for programs that call PigWav."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """Said after the body was read, or before it, or instead of it: then it hangs up on what is being sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reads: Literal["first", "after", "never"] = "first"

    @classmethod
    def json(cls, status: int, document: Any) -> "Reply":
        kind = "application/json" if status < 400 else "application/problem+json"
        return cls(status, json.dumps(document).encode(), {"Content-Type": kind})


def problem(status: int, code: str, title: str, **more: Any) -> Reply:
    document = {"type": f"urn:pigwav:problem:{code}", "title": title, "status": status, "code": code, **more}
    return Reply.json(status, document)


@dataclass(frozen=True)
class Stub:
    url: str
    received: list[Received]
    drained_bytes: list[int]
    """How much of each body came that was read after the answer."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits until every request has been dealt with

    def __init__(self, answer: Callable[[str, str], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.stub = Stub(f"http://127.0.0.1:{self.server_port}", [], [])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        reply = self.server.answer(self.command, self.path)
        body = self._body() if reply.reads == "first" else b""
        self.server.stub.received.append(Received(self.command, self.path, dict(self.headers), body))
        self._send(reply)
        if reply.reads == "after":
            self.server.stub.drained_bytes.append(sum(map(len, self._declared())))

    def _send(self, reply: Reply) -> None:
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        self.close_connection = reply.reads != "first" or headers["Content-Length"] != str(len(reply.body))
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _body(self) -> bytes:
        return b"".join(self._chunks() if "Transfer-Encoding" in self.headers else self._declared())

    def _declared(self) -> Iterator[bytes]:
        """The body that Content-Length declares, as far as it comes."""
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
        """Tests read what was received, not a log."""


@contextmanager
def stub_service(answer: Callable[[str, str], Reply]) -> Iterator[Stub]:
    """Serve `answer(method, target)` on a port of its own."""
    with _Server(answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.stub
        finally:
            server.shutdown()
            thread.join()
