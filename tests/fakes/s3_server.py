"""An S3 server that answers whatever a test says, byte for byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pigwav.settings import StoreSettings


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that has `serve` deal with each connection, one at a time."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed: the test is over
                return
            with connection, suppress(ConnectionError):  # the client may leave first
                serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """The URL of a server that answers one request per connection, in raw bytes, and closes it."""
    with serving(lambda connection: connection.sendall(answer(connection.recv(65536)))) as endpoint:
        yield endpoint


def fictional(endpoint: str, *, timeout_s: float = 5) -> StoreSettings:
    return StoreSettings(
        endpoint=endpoint, bucket="pigwav", access_key="key", secret_key="secret", timeout_s=timeout_s
    )


def xml_error(status: int, code: str) -> bytes:
    """As S3 answers, on a connection that it closes. Status 200 is real: CompleteMultipartUpload may still fail."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
    return (
        f"HTTP/1.1 {status} {code}\r\nConnection: close\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
