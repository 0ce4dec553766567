"""An HTTP proxy in front of the real S3 server that answers some requests itself, or drops or changes responses."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fakes.s3_server import xml_error
from faults.background_loop import BackgroundLoop
from faults.tcp_proxy import Dial

_HEAD_BYTES: Final = 64 * 1024
_BLOCK_BYTES: Final = 64 * 1024
_WRONG_ETAG: Final = b'"00000000000000000000000000000bad"'
_OPERATIONS: Final = {
    # (method, query parameter): the operation's name in our store
    ("PUT", "partNumber"): "put_part",
    ("PUT", ""): "put",
    ("POST", "uploads"): "begin_multipart",
    ("POST", "uploadId"): "complete_multipart",
    ("DELETE", "uploadId"): "abort_multipart",
    ("DELETE", ""): "delete",
    ("GET", "uploads"): "open_uploads",
    ("GET", "list-type"): "list",
    ("GET", ""): "read",
    ("HEAD", ""): "stat",
}


@dataclass(frozen=True)
class Fault:
    """A fault of one S3 request.

    - `status` and `code`: the proxy answers with them; the server does not get the request.
    - `lost`: the server executes the request; the client gets no response, and the connection stays open.
    - none of them: the server executes the request; its response has a wrong ETag.
    """

    name: str
    status: int = 0
    code: str = ""
    lost: bool = False


SERVER_ERROR: Final = Fault("500", 500, "InternalError")
SLOW_DOWN: Final = Fault("503 SlowDown", 503, "SlowDown")
FORBIDDEN: Final = Fault("403", 403, "AccessDenied")
DISK_FULL: Final = Fault("disk full", 507, "XMinioStorageFull")
ANSWER_LOST: Final = Fault("answer lost", lost=True)
WRONG_CHECKSUM: Final = Fault("wrong checksum")
FAULTS: Final = (SERVER_ERROR, SLOW_DOWN, FORBIDDEN, DISK_FULL, ANSWER_LOST, WRONG_CHECKSUM)


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    head: bytes
    length_bytes: int
    expects_continue: bool

    @property
    def operation(self) -> str:
        asked = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return next(
            (name for (method, key), name in _OPERATIONS.items() if method == self.method and key in asked),
            _OPERATIONS.get((self.method, ""), "other"),
        )


class S3Faults:
    """`plan` sets the fault of an operation; `struck` counts how often it happened."""

    def __init__(self, loop: BackgroundLoop, dial: Dial) -> None:
        self.port = 0
        self.struck = 0
        self._loop = loop
        self._dial = dial
        self._planned: tuple[Fault, str, int, int] | None = None
        self._seen = 0
        self._silent: set[StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def plan(self, fault: Fault, operation: str, *, nth: int = 1, times: int = 1) -> None:
        """From now on, the n-th call of this operation and the next ones fail, `times` in all."""
        self._loop.run(self._plan((fault, operation, nth, times)))

    def heal(self) -> None:
        """Ends the fault. Closes the connections of clients that wait for a lost response."""
        self._loop.run(self._plan(None))

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _plan(self, planned: tuple[Fault, str, int, int] | None) -> None:
        self._planned, self._seen = planned, 0
        if planned is not None:
            self.struck = 0
            return
        for client in list(self._silent):
            client.transport.abort()

    def _accept(self, reader: StreamReader, client: StreamWriter) -> None:
        """Holds a reference to the task: asyncio drops its own when the client leaves, even if the server is busy."""
        serving = asyncio.create_task(self._serve(reader, client))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        """Handles one request and closes the connection."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = _parsed(await reader.readuntil(b"\r\n\r\n"))
            if request.expects_continue:
                client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            fault = self._fault_for(request.operation)
            if fault is not None and fault.status:
                await _discard(reader, request.length_bytes)
                client.write(xml_error(fault.status, fault.code, with_body=request.method != "HEAD"))
            else:
                await self._forward(request, reader, client, fault)
            await client.drain()
        self._silent.discard(client)
        client.close()

    def _fault_for(self, operation: str) -> Fault | None:
        if self._planned is None or self._planned[1] != operation:
            return None
        fault, _, nth, times = self._planned
        self._seen += 1
        if not nth <= self._seen < nth + times:
            return None
        self.struck += 1
        return fault

    async def _forward(
        self, request: _Request, reader: StreamReader, client: StreamWriter, fault: Fault | None
    ) -> None:
        answers, server = await self._dial()
        try:
            server.write(request.head)
            missing_bytes = request.length_bytes
            while missing_bytes:
                block = await reader.read(min(_BLOCK_BYTES, missing_bytes))
                if not block:
                    return  # the client left during the request: leave the server as well
                missing_bytes -= len(block)
                server.write(block)
                await server.drain()
            answering = asyncio.create_task(self._answer(fault, answers, client))
            leaving = asyncio.create_task(_discard_all(reader))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        finally:
            server.close()  # a client that leaves takes its request along

    async def _answer(self, fault: Fault | None, answers: StreamReader, client: StreamWriter) -> None:
        if fault is None:
            await _copy(answers, client)
        elif fault.lost:
            await _discard_all(answers)
            self._silent.add(client)
            await asyncio.Event().wait()
        else:
            head = await answers.readuntil(b"\r\n\r\n")
            client.write(re.sub(rb"(?i)(\r\netag: )[^\r]*", rb"\1" + _WRONG_ETAG, head))
            await _copy(answers, client)


def _parsed(head: bytes) -> _Request:
    """The request to pass on: without Expect, which the proxy has answered, and with Connection: close."""
    start, *fields = head.rstrip(b"\r\n").split(b"\r\n")
    method, target, _ = start.decode("latin-1").split(" ")
    named = {name.strip().lower(): value.strip() for name, _, value in (f.partition(b":") for f in fields)}
    passed_on = [f for f in fields if not f.lower().startswith((b"expect:", b"connection:"))]
    return _Request(
        method,
        target,
        b"\r\n".join([start, *passed_on, b"Connection: close", b"", b""]),
        int(named.get(b"content-length", 0)),
        named.get(b"expect", b"").lower() == b"100-continue",
    )


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while block := await reader.read(_BLOCK_BYTES):
        writer.write(block)
        await writer.drain()


async def _discard(reader: StreamReader, count_bytes: int) -> None:
    while count_bytes and (block := await reader.read(min(count_bytes, _BLOCK_BYTES))):
        count_bytes -= len(block)


async def _discard_all(reader: StreamReader) -> None:
    while await reader.read(_BLOCK_BYTES):
        pass


@contextmanager
def breaking(loop: BackgroundLoop, dial: Dial) -> Iterator[S3Faults]:
    faults = S3Faults(loop, dial)
    server = loop.run(faults.listen())
    try:
        yield faults
    finally:
        faults.heal()
        loop.run(_close(server))


async def _close(server: asyncio.Server) -> None:
    server.close()
