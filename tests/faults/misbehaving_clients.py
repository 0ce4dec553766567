"""Misbehaving clients."""

import itertools
import random
import socket
from contextlib import suppress
from typing import Final

from faults.uploaders import (
    Attempt,
    Upload,
    Uploader,
    answered,
    connected,
    exchange,
    upload_body,
    upload_head,
)

LEAVING: Final = (
    "in the head",
    "after the head",
    "in the WAV's header",
    "in the audio",
    "before the last byte",
    "while it waits",
)


def leaves(uploader: Uploader, upload: Upload, stage: str) -> Attempt:
    """Sends the request up to `stage` and closes the connection."""
    head, body = upload_head(uploader, upload), upload_body(uploader, upload)
    ends = {
        "in the head": len(head) // 2,
        "after the head": len(head),
        "in the WAV's header": len(head) + body.index(b"fmt ") + 10,
        "in the audio": len(head) + len(body) // 2,
        "before the last byte": len(head) + len(body) - 1,
        "while it waits": len(head) + len(body),
    }
    with suppress(ConnectionError), connected(uploader.port) as connection:
        connection.sendall((head + body)[: ends[stage]])
    return Attempt(f"client leaves {stage}", uploader.user, None, upload, stayed=False)


def trickles(uploader: Uploader, upload: Upload, dice: random.Random, *, pieces: int = 200) -> Attempt:
    """Sends the request in many small packets, cut at random places."""
    request = upload_head(uploader, upload) + upload_body(uploader, upload)
    cuts = [0, *sorted(dice.sample(range(1, len(request)), pieces - 1)), len(request)]
    answer = None
    with connected(uploader.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for start, stop in itertools.pairwise(cuts):
                connection.sendall(request[start:stop])
        answer = answered(connection)
    return Attempt("client trickles", uploader.user, answer, upload)


def says_too_much(uploader: Uploader, upload: Upload) -> Attempt:
    """Content-Length exceeds the body by 1000 bytes; then the client waits for the response."""
    body = upload_body(uploader, upload)
    request = upload_head(uploader, upload, length=len(body) + 1000) + body
    return Attempt("Content-Length says too much", uploader.user, exchange(uploader.port, request), upload)


def says_too_little(uploader: Uploader, upload: Upload) -> Attempt:
    """Content-Length ends in the middle of the audio; the bytes after it are not a valid request."""
    body = upload_body(uploader, upload)
    request = upload_head(uploader, upload, length=len(body) // 2, close=False) + body
    said = Upload(upload.kind, upload.wav[: len(body) // 2])
    return Attempt("Content-Length says too little", uploader.user, exchange(uploader.port, request), said)


def never_ends(uploader: Uploader, upload: Upload, *, limit_bytes: int) -> Attempt:
    """A chunked body of `limit_bytes`, which exceeds every limit of the service."""
    endless = Upload(upload.kind, upload.wav, chunked=True)
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with connected(uploader.port) as connection:
        with suppress(ConnectionError):
            connection.sendall(
                upload_head(uploader, endless) + upload_body(uploader, endless)[: -len(b"0\r\n\r\n")]
            )
            for _ in range(limit_bytes // 0x10000):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
        answer = answered(connection)
    return Attempt("chunked without end", uploader.user, answer, endless)


def sends_headers_for_ever(uploader: Uploader, upload: Upload, *, limit_bytes: int) -> Attempt:
    """Sends `limit_bytes` of header lines and never ends the head."""
    sent_bytes = 0
    with connected(uploader.port) as connection:
        with suppress(ConnectionError):
            connection.sendall(upload_head(uploader, upload)[: -len(b"\r\n")])
            while sent_bytes < limit_bytes:
                sent_bytes += connection.send(b"X-More: %s\r\n" % (b"x" * 1000))
        answer = answered(connection)
    return Attempt("headers without end", uploader.user, answer, upload)


def never_ends_its_head(uploader: Uploader, upload: Upload) -> Attempt:
    """Sends half of the request's head, then waits."""
    head = upload_head(uploader, upload)
    return Attempt("half a head", uploader.user, exchange(uploader.port, head[: len(head) // 2]), upload)
