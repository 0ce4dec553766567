"""A TCP forwarder: in front of a plain HTTP server it stands for a proxy, or ends TLS."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


class Forwarder:
    """`accepted`: connections so far. Sends each to `target`, byte by byte."""

    def __init__(self, target: str, certificate: Path | None, host: str) -> None:
        url = urlsplit(target)
        self._target = (url.hostname, url.port)
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listening = socket.create_server((host, 0))
        self.url = f"{'https' if certificate else 'http'}://{host}:{self._listening.getsockname()[1]}"
        self.accepted = 0

    def accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed at the end of the test
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # a client that does not trust the certificate breaks off
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, socket.create_connection(self._target) as server:
                back = threading.Thread(target=_copy, args=[server, client], daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def forwarding(
    target: str, *, certificate: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[Forwarder]:
    """`certificate`: a PEM file with a certificate and its key."""
    forwarder = Forwarder(target, certificate, host)
    thread = threading.Thread(target=forwarder.accept)
    thread.start()
    try:
        yield forwarder
    finally:
        forwarder.close()
        thread.join()


def self_signed(folder: Path, *, authority: bool = False) -> Path:
    """A new self-signed certificate of 127.0.0.1 with its key, in one PEM file. Needs openssl.

    `authority`: as openssl makes it by default, which obstore refuses as a server's.
    """
    path = folder / "both.pem"
    constraint = () if authority else ("-addext", "basicConstraints=critical,CA:FALSE")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    command = ("openssl", "req", "-x509", *curve, *names, *constraint, "-keyout", path, "-out", "-")
    done = subprocess.run(command, capture_output=True, check=True)
    with path.open("ab") as file:
        file.write(done.stdout)
    return path
