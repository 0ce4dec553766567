"""A TCP proxy that injects faults into its connections.

A fault is triggered by counts, never by time: bytes sent to the server since `make`, and connections.
"""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from faults.background_loop import BackgroundLoop

_BLOCK_BYTES: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER with 0 s: close() sends RST
_GONE: Final = (OSError, RuntimeError)  # the socket is closed, or the transport is closing

Dial = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]


class Kind(StrEnum):
    """A fault of a connection. DELAY and THROTTLE still pass bytes on; BLACK_HOLE passes none until `heal`."""

    DELAY = "delay"
    THROTTLE = "throttle"
    CUT = "cut"
    RESET = "reset"
    BLACK_HOLE = "black-hole"
    REFUSE = "refuse"


@dataclass(frozen=True)
class ConnectionFault:
    """A fault that starts after `after_bytes` to the server, and then affects the next `connections` that send to it.

    REFUSE refuses new connections until `heal`.
    """

    kind: Kind
    after_bytes: int = 0
    connections: int = 1
    delay_s: float = 0.05
    bytes_per_s: int = 4 * 1024 * 1024


class _Connection:
    def __init__(self, client: StreamWriter, server: StreamWriter) -> None:
        self.client, self.server = client, server
        self.struck: ConnectionFault | None = None

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def reset(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):  # already closed
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class TcpProxy:
    """A proxy for one server. `port` never changes."""

    def __init__(self, loop: BackgroundLoop, dial: Dial) -> None:
        self.port = 0
        self.struck = 0
        self._loop = loop
        self._dial = dial
        self._trouble: ConnectionFault | None = None
        self._passed_bytes = 0
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    def make(self, trouble: ConnectionFault) -> None:
        self._loop.run(self._make(trouble))

    def heal(self) -> None:
        """Ends the fault. Resets black-holed connections, as after a repaired cable."""
        self._loop.run(self._heal())

    async def _make(self, trouble: ConnectionFault) -> None:
        self._trouble, self._passed_bytes, self.struck = trouble, 0, 0
        if trouble.kind is Kind.REFUSE:
            self._stop_listening()
            for connection in list(self._open):
                connection.reset()

    async def _heal(self) -> None:
        self._trouble = None
        for connection in [one for one in self._open if one.struck is not None]:
            if connection.struck.kind is Kind.BLACK_HOLE:
                connection.reset()
            connection.struck = None
        await self.listen()

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, limit=_BLOCK_BYTES
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def stop(self) -> None:
        self._stop_listening()
        for connection in list(self._open):
            connection.reset()

    def _accept(self, reader: StreamReader, client: StreamWriter) -> None:
        """Keeps a reference to the task: asyncio drops it when the client leaves."""
        serving = asyncio.create_task(self._serve(reader, client))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        try:
            answers, server = await self._dial()
        except OSError:  # the server is down: the client's connection fails, too
            client.transport.abort()
            return
        connection = _Connection(client, server)
        self._open.add(connection)
        try:
            there = asyncio.create_task(self._pump(connection, reader, server, counted=True))
            back = asyncio.create_task(self._pump(connection, answers, client, counted=False))
            await asyncio.wait({there, back})
        finally:
            self._open.discard(connection)
            connection.close()

    async def _pump(
        self, connection: _Connection, reader: StreamReader, writer: StreamWriter, *, counted: bool
    ) -> None:
        """Copies one direction until it ends, and passes the end on."""
        with suppress(*_GONE):
            while block := await reader.read(_BLOCK_BYTES):
                if counted:
                    block = await self._befall(connection, block, writer)
                await self._pass_on(connection, block, writer)
            if not _swallows(connection):
                writer.write_eof()
            return
        connection.close()

    async def _befall(self, connection: _Connection, block: bytes, writer: StreamWriter) -> bytes:
        """Applies the fault if it is due: writes the bytes before it and returns the rest of `block`."""
        trouble = self._trouble
        if trouble is None or connection.struck or self.struck >= trouble.connections:
            return block
        in_time = max(0, trouble.after_bytes - self._passed_bytes)
        self._passed_bytes += len(block)
        if in_time >= len(block):
            return block
        writer.write(block[:in_time])
        await writer.drain()
        connection.struck = trouble
        self.struck += 1
        if trouble.kind is Kind.CUT:
            connection.close()
        elif trouble.kind is Kind.RESET:
            connection.reset()
        return block[in_time:]

    async def _pass_on(self, connection: _Connection, block: bytes, writer: StreamWriter) -> None:
        match connection.struck:
            case ConnectionFault(kind=Kind.BLACK_HOLE):
                return
            case ConnectionFault(kind=Kind.DELAY, delay_s=delay_s):
                await asyncio.sleep(delay_s)
            case ConnectionFault(kind=Kind.THROTTLE, bytes_per_s=bytes_per_s):
                await asyncio.sleep(len(block) / bytes_per_s)
        writer.write(block)
        await writer.drain()


def _swallows(connection: _Connection) -> bool:
    return connection.struck is not None and connection.struck.kind is Kind.BLACK_HOLE


@contextmanager
def proxying(loop: BackgroundLoop, dial: Dial) -> Iterator[TcpProxy]:
    proxy = TcpProxy(loop, dial)
    loop.run(proxy.listen())
    try:
        yield proxy
    finally:
        loop.run(proxy.stop())


def to_address(host: str, port: int) -> Dial:
    return lambda: asyncio.open_connection(host, port)


def to_unix_socket(path: str) -> Dial:
    return lambda: asyncio.open_unix_connection(path)
