"""A service that answers what the test says and remembers what it was sent: for programs that call PigWav."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """`reads_body=False` answers at once and hangs up on whatever is still being sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reads_body: bool = True

    @classmethod
    def json(cls, status: int, document: Any, *, reads_body: bool = True) -> "Reply":
        kind = "application/json" if status < 400 else "application/problem+json"
        return cls(status, json.dumps(document).encode(), {"Content-Type": kind}, reads_body)


def problem(status: int, code: str, title: str, *, reads_body: bool = True, **more: Any) -> Reply:
    document = {"type": f"urn:pigwav:problem:{code}", "title": title, "status": status, "code": code, **more}
    return Reply.json(status, document, reads_body=reads_body)


@dataclass(frozen=True)
class Stub:
    url: str
    received: list[Received]


@contextmanager
def stub_service(answer: Callable[[str, str], Reply]) -> Iterator[Stub]:
    """Serve `answer(method, target)` on a port of its own."""
    received: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            reply = answer(self.command, self.path)
            body = self._body() if reply.reads_body else b""
            received.append(Received(self.command, self.path, dict(self.headers), body))
            self.close_connection = not reply.reads_body
            self.send_response(reply.status)
            headers = {"Content-Length": str(len(reply.body)), **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection |= headers["Content-Length"] != str(len(reply.body))

        def do_GET(self) -> None:
            self.do_POST()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def log_message(self, *args: object) -> None:
            """Tests read what was received, not a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Stub(f"http://127.0.0.1:{server.server_port}", received)
        finally:
            server.shutdown()
            thread.join()
