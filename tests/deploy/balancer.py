"""A TCP proxy in front of several services: round robin per connection."""

import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_BLOCK_BYTES: Final = 64 * 1024


class Balancer(socketserver.ThreadingTCPServer):
    """`backends`: ports on 127.0.0.1 for new connections. Open connections are not moved."""

    request_queue_size = 128
    block_on_close = True

    def __init__(self, backends: Iterable[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self._backends = list(backends)
        self._changing = threading.Lock()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def take_out(self, backend: int) -> None:
        with self._changing:
            self._backends.remove(backend)

    def put_back(self, backend: int) -> None:
        with self._changing:
            self._backends.append(backend)

    def next_backend(self) -> int:
        with self._changing:
            self._backends.append(self._backends.pop(0))
            return self._backends[-1]


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.next_backend())) as backend:
            back = threading.Thread(target=_copy, args=(backend, self.request))
            back.start()
            _copy(self.request, backend)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copies until the source ends or a connection breaks."""
    with suppress(OSError):
        while block := source.recv(_BLOCK_BYTES):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def balancing(backends: Iterable[int]) -> Iterator[Balancer]:
    with Balancer(backends) as balancer:
        serving = threading.Thread(target=balancer.serve_forever, args=(0.05,), name="balancer")
        serving.start()
        try:
            yield balancer
        finally:
            balancer.shutdown()
            serving.join()
