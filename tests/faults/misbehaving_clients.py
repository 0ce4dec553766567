"""Clients as they should not be."""

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
    """Sends so much and goes away without a word."""
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
    """In many small packets, cut at random places."""
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
    """Content-Length is 1000 bytes more than comes; then only the answer is waited for."""
    body = upload_body(uploader, upload)
    request = upload_head(uploader, upload, length=len(body) + 1000) + body
    return Attempt("Content-Length says too much", uploader.user, exchange(uploader.port, request), upload)


def says_too_little(uploader: Uploader, upload: Upload) -> Attempt:
    """Content-Length ends in the middle of the audio; what follows is no request."""
    body = upload_body(uploader, upload)
    request = upload_head(uploader, upload, length=len(body) // 2, close=False) + body
    said = Upload(upload.kind, upload.wav[: len(body) // 2])
    return Attempt("Content-Length says too little", uploader.user, exchange(uploader.port, request), said)


def never_ends(uploader: Uploader, upload: Upload, *, limit_bytes: int) -> Attempt:
    """A chunked body that goes on and on: up to `limit_bytes`, past any limit of the service."""
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
    """Header lines without an end, `limit_bytes` of them."""
    sent_bytes = 0
    with connected(uploader.port) as connection:
        with suppress(ConnectionError):
            connection.sendall(upload_head(uploader, upload)[: -len(b"\r\n")])
            while sent_bytes < limit_bytes:
                sent_bytes += connection.send(b"X-More: %s\r\n" % (b"x" * 1000))
        answer = answered(connection)
    return Attempt("headers without end", uploader.user, answer, upload)


def never_ends_its_head(uploader: Uploader, upload: Upload) -> Attempt:
    """Half of it, and then nothing: it only waits."""
    head = upload_head(uploader, upload)
    return Attempt("half a head", uploader.user, exchange(uploader.port, head[: len(head) // 2]), upload)
