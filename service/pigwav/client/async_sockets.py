"""asyncio sockets that can still be read after a write has failed.

A service may answer while it is still receiving the body, and then close the connection. httpcore2 then reads the
answer, which works with a blocking socket. But asyncio's transports, which anyio uses, close the socket when a write
fails: the caller gets a broken connection instead of, for example, 401. The event loop's plain socket calls
(`sock_sendall`, `sock_recv`) keep the socket open.
"""

import asyncio
import selectors
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpcore2
import httpx2
from anyio import BrokenResourceError, EndOfStream
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from pigwav.client.proxies import AsyncProxyTransport

_WRITE_BYTES: Final = 64 * 1024


class SocketClient(httpx2.AsyncClient):
    """httpx2's client over such sockets, except for requests through a proxy that the environment names."""

    def _init_transport(self, *_: Any, **options: Any) -> httpx2.AsyncBaseTransport:
        return _Transport(options["verify"], options["limits"])

    def _init_proxy_transport(
        self, proxy: httpx2.Proxy, *_: Any, **options: Any
    ) -> httpx2.AsyncBaseTransport:
        return AsyncProxyTransport(proxy, options)


class _Transport(httpx2.AsyncHTTPTransport):
    def __init__(self, verify: Any, limits: httpx2.Limits) -> None:
        context = httpx2.create_ssl_context(verify)
        super().__init__(verify=context, limits=limits)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(),
        )


class _Backend(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,  # noqa: ARG002 - the pool was given none
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Tries the host's addresses in turn, each for `timeout` seconds, as blocking sockets do."""
        async with _raising(httpcore2.ConnectError, httpcore2.ConnectTimeout, timeout):
            loop = asyncio.get_running_loop()
            *others, last = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, *_, address in others:
            try:
                return await _connected(family, address, timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await _connected(last[0], last[-1], timeout)


async def _connected(
    family: int,
    address: Any,
    timeout: float | None,  # noqa: ASYNC109
) -> httpcore2.AsyncNetworkStream:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with _raising(httpcore2.ConnectError, httpcore2.ConnectTimeout, timeout):
            await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return _NetworkStream(connection, _SocketStream(connection))


class _SocketStream(ByteStream):
    """A socket with the interface that anyio's TLS needs. Raises EndOfStream and, except in `send`, OSError.

    `send_error`: the error of a failed write. `send` does not raise it, because anyio's TLS would not read after that.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self.send_error: OSError | None = None

    async def receive(self, max_bytes: int = 65536) -> bytes:
        block = await self._loop.sock_recv(self._socket, max_bytes)
        if not block:
            raise EndOfStream
        return block

    async def send(self, item: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._socket, item)
        except OSError as error:
            self.send_error = error

    async def send_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        self._socket.close()


class _NetworkStream(httpcore2.AsyncNetworkStream):
    def __init__(self, connection: socket.socket, plain: _SocketStream, tls: TLSStream | None = None) -> None:
        self._socket = connection
        self._plain = plain
        self._stream = tls or plain

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        async with _raising(httpcore2.ReadError, httpcore2.ReadTimeout, timeout):
            try:
                return await self._stream.receive(max_bytes)
            except EndOfStream:
                return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        for start in range(0, len(buffer), _WRITE_BYTES):
            async with _raising(httpcore2.WriteError, httpcore2.WriteTimeout, timeout):
                await self._stream.send(buffer[start : start + _WRITE_BYTES])
                if self._plain.send_error:
                    raise self._plain.send_error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with _raising(httpcore2.ConnectError, httpcore2.ConnectTimeout, timeout):
                tls = await TLSStream.wrap(
                    self._plain,
                    server_side=False,
                    hostname=server_hostname,
                    ssl_context=ssl_context,
                    standard_compatible=False,  # HTTP has its own end of message
                )
        except BaseException:
            await self.aclose()
            raise
        return _NetworkStream(self._socket, self._plain, tls)

    def get_extra_info(self, info: str) -> Any:
        """Only the one value that httpcore2 asks for: whether the service has closed an idle connection."""
        if info != "is_readable":
            return None
        if self._socket.fileno() < 0:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(timeout=0))


@asynccontextmanager
async def _raising(
    error: type[Exception],
    late: type[Exception],
    timeout: float | None,  # noqa: ASYNC109
) -> AsyncIterator[None]:
    """Translates system errors to `error`, and raises `late` if the block takes longer than `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as timed_out:
        raise late(str(timed_out)) from timed_out
    except (OSError, EndOfStream, BrokenResourceError) as failed:
        raise error(str(failed)) from failed
