"""A fake S3 server with raw responses: resets, partial responses, silence, temporary errors."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pigwav.settings import StoreSettings


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that calls `serve` for each connection, one at a time."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed at the end of the test
                return
            with connection, suppress(ConnectionError):  # the client may close first
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
    """The URL of a server that sends raw bytes in response to one request per connection."""
    with serving(lambda connection: connection.sendall(answer(read_message(connection)))) as endpoint:
        yield endpoint


def read_message(connection: socket.socket) -> bytes:
    """Reads a whole request or response.

    Closing a connection with unread bytes resets it, and the last bytes sent may be lost. A client that sends
    `Expect: 100-continue` has not sent its body yet.
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
    """An error response of S3 with Connection: close. `with_body`: False for HEAD.

    Status 200 occurs in reality: CompleteMultipartUpload may fail after the status line.
    """
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
    return (
        f"HTTP/1.1 {status} {code}\r\nConnection: close\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body if with_body else ''}"
    ).encode()
