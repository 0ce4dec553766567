"""An S3 server that answers whatever a test says, byte for byte: resets, half answers, silence, errors that pass."""

import re
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
    with serving(lambda connection: connection.sendall(answer(read_message(connection)))) as endpoint:
        yield endpoint


def read_message(connection: socket.socket) -> bytes:
    """A whole request or answer: to close a connection with something unread is to reset it, and what was sent last may
    be lost. A client that sends `Expect: 100-continue` has sent no body yet.
    """
    message = connection.recv(65536)
    while b"\r\n\r\n" not in message and (more := connection.recv(65536)):
        message += more
    head, _, body = message.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length and b"100-continue" not in head.lower() else 0
    while missing > 0 and (more := connection.recv(65536)):
        message += more
        missing -= len(more)
    return message


def fictional(endpoint: str, *, timeout_s: float = 5) -> StoreSettings:
    return StoreSettings(
        endpoint=endpoint, bucket="pigwav", access_key="key", secret_key="secret", timeout_s=timeout_s
    )


def xml_error(status: int, code: str, *, with_body: bool = True) -> bytes:
    """As S3 answers, on a connection that it closes; to HEAD without the body. Status 200 is real:
    CompleteMultipartUpload may still fail.
    """
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
    return (
        f"HTTP/1.1 {status} {code}\r\nConnection: close\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body if with_body else ''}"
    ).encode()
