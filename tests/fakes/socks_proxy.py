"""A SOCKS5 proxy (RFC 1928, RFC 1929) that connects every client to one address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Final

_NO_AUTHENTICATION: Final = b"\x00"
_PASSWORD: Final = b"\x02"
_NOT_ACCEPTABLE: Final = b"\xff"
_GRANTED: Final = b"\x05\x00\x00\x01" + bytes(6)


LOOPBACK: Final = ("127.0.0.1", 0)


@dataclass(frozen=True)
class SocksProxy:
    """`asked`: the hosts and ports that clients asked for."""

    port: int
    asked: list[tuple[str, int]] = field(default_factory=list)


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, target: tuple[str, int], password: tuple[str, str] | None) -> None:
        super().__init__(LOOPBACK, _Handler)
        self.target, self.password = target, password
        self.proxy = SocksProxy(self.server_address[1])


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        if not self._authenticates():
            return
        _version, _connect, _reserved, _domain, size = self.rfile.read(5)
        host = self.rfile.read(size).decode()
        self.server.proxy.asked.append((host, int.from_bytes(self.rfile.read(2))))
        with socket.create_connection(self.server.target) as service:
            self.wfile.write(_GRANTED)
            back = Thread(target=_pump, args=(service, self.connection))
            back.start()
            _pump(self.connection, service)
            back.join()

    def _authenticates(self) -> bool:
        _version, count = self.rfile.read(2)
        methods = self.rfile.read(count)
        wanted = _PASSWORD if self.server.password else _NO_AUTHENTICATION
        self.wfile.write(b"\x05" + (wanted if wanted in methods else _NOT_ACCEPTABLE))
        if wanted not in methods or not self.server.password:
            return wanted in methods
        self.rfile.read(1)
        given = tuple(self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
        self.wfile.write(b"\x01" + (b"\x00" if given == self.server.password else b"\x01"))
        return given == self.server.password


def _pump(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):  # one end has closed
        while block := source.recv(65536):
            to.sendall(block)
        to.shutdown(socket.SHUT_WR)


class _HttpHandler(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.rfile.read(1)


@contextmanager
def socks_proxy(target: tuple[str, int], password: tuple[str, str] | None = None) -> Iterator[SocksProxy]:
    """A proxy on a free port. `password`: the user name and password that it requires."""
    with _Server(target, password) as server, _serving(server):
        yield server.proxy


@contextmanager
def no_socks_proxy() -> Iterator[int]:
    """The port of a server that speaks HTTP at once."""
    with ThreadingTCPServer(LOOPBACK, _HttpHandler) as server, _serving(server):
        yield server.server_address[1]


@contextmanager
def _serving(server: ThreadingTCPServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
