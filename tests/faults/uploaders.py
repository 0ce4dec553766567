"""Uploads and other requests of clients, and the responses they got."""

import hashlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from factories import STREAMED, info_chunk, wav

BLOCK_BYTES: Final = 64 * 1024
ANSWER_WITHIN_S: Final = 60.0
_BOUNDARY: Final = "a-boundary-of-the-tests"


@dataclass(frozen=True)
class Uploader:
    """A registered user, and the port of the API that they use."""

    port: int
    user: int
    token: str


@dataclass(frozen=True)
class Upload:
    """A unique WAV, and how it is sent.

    `parts`: the number of multipart parts of its MP3 (1: one PUT). `once`: its Idempotency-Key.
    """

    kind: str
    wav: bytes = field(repr=False)
    parts: int = 1
    form: bool = False
    chunked: bool = False
    once: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.wav).hexdigest()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The JSON body; {} if the body is not JSON."""
        with suppress(ValueError):
            return json.loads(self.body)
        return {}


@dataclass(frozen=True)
class Attempt:
    """One request of a user, from the client's side.

    `answer`: None if the connection ended without one. `deletes`: a recording's id, or EVERYTHING of the user.
    `stayed`: the client waited until the response came or the server closed the connection.
    """

    what: str
    user: int
    answer: Answer | None
    upload: Upload | None = None
    deletes: str | None = None
    stayed: bool = True

    @property
    def status(self) -> int | None:
        return None if self.answer is None else self.answer.status


EVERYTHING: Final = "everything"
HUNG: Final = Answer(0, {}, b"")
"""The answer if the client's timeout expired."""

LONG_S: Final = 264
"""At 320 kb/s: two parts of 5 MiB and a shorter third one."""


def _short(title: bytes) -> Upload:
    return Upload("short", wav(seconds=2, rate=8000, channels=1, before=title))


def _form(title: bytes) -> Upload:
    return Upload("form", wav(seconds=3, rate=16_000, channels=2, before=title), form=True)


def _decoded(title: bytes) -> Upload:
    """A sample rate that MP3 does not have, so ffmpeg resamples it."""
    return Upload("decoded", wav(seconds=3, rate=10_000, channels=1, before=title))


def _long(title: bytes) -> Upload:
    return Upload("long", _long_wav(title), parts=3)


def _mispredicted(title: bytes) -> Upload:
    """The header declares 60 s more than the body has, so the MP3's first frame is known only at the end."""
    return Upload("mispredicted", _long_wav(title, promised_s=60), parts=3)


def _streamed(title: bytes) -> Upload:
    body = wav(seconds=3, rate=8000, channels=1, before=title, data_size=STREAMED)
    return Upload("streamed", body, chunked=True)


def _long_wav(title: bytes, *, promised_s: int = 0) -> bytes:
    samples = LONG_S * 32_000
    size = 2 * (samples + promised_s * 32_000)
    return wav(samples=samples, rate=32_000, channels=1, content="silence", before=title, data_size=size)


KINDS: Final[dict[str, Callable[[bytes], Upload]]] = {
    "short": _short,
    "form": _form,
    "decoded": _decoded,
    "streamed": _streamed,
    "long": _long,
    "mispredicted": _mispredicted,
}


def make_upload(kind: str, title: str) -> Upload:
    """`title` makes the WAV unique."""
    return KINDS[kind](info_chunk(INAM=title))


def once(upload: Upload) -> Upload:
    """The same upload with an Idempotency-Key, so that it may be repeated."""
    return replace(upload, once=upload.sha256[:32])


def upload_head(
    uploader: Uploader, upload: Upload, *, length: int | None = None, close: bool = True
) -> bytes:
    """`length`: the value of Content-Length (default: the body's real length)."""
    lines = [f"POST /records?user={uploader.user}&bitrate={_bitrate(upload)} HTTP/1.1", "Host: localhost"]
    if close:
        lines.append("Connection: close")
    if upload.once:
        lines.append(f'Idempotency-Key: "{upload.once}"')
    if upload.form:
        lines.append(f"Content-Type: multipart/form-data; boundary={_BOUNDARY}")
    else:
        lines += ["Content-Type: audio/wav", f"Authorization: Bearer {uploader.token}"]
    if upload.chunked:
        lines.append("Transfer-Encoding: chunked")
    else:
        said = len(upload_body(uploader, upload)) if length is None else length
        lines.append(f"Content-Length: {said}")
    return "\r\n".join([*lines, "", ""]).encode()


def upload_body(uploader: Uploader, upload: Upload) -> bytes:
    """The request's body as sent, with chunked framing or as a form."""
    if upload.chunked:
        blocks = [upload.wav[at : at + 5000] for at in range(0, len(upload.wav), 5000)]
        return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in [*blocks, b""])
    if not upload.form:
        return upload.wav
    fields = {"user_id": str(uploader.user), "token": uploader.token, "bitrate": str(_bitrate(upload))}
    text = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    opening = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return f"{text}{opening}".encode() + upload.wav + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _bitrate(upload: Upload) -> int:
    return 320 if upload.parts > 1 else 64


def send(uploader: Uploader, upload: Upload) -> Attempt:
    """Uploads as a correct client does."""
    request = upload_head(uploader, upload) + upload_body(uploader, upload)
    return Attempt(f"{upload.kind} upload", uploader.user, exchange(uploader.port, request), upload)


def send_with_timeout(uploader: Uploader, upload: Upload, *, timeout_s: float) -> Attempt:
    """Uploads as a client that closes the connection if the response takes longer than `timeout_s`."""
    request = upload_head(uploader, upload) + upload_body(uploader, upload)
    answer = exchange(uploader.port, request, timeout_s=timeout_s)
    if answer is HUNG:
        return Attempt(f"timed out {upload.kind} upload", uploader.user, None, upload, stayed=False)
    return Attempt(f"{upload.kind} upload", uploader.user, answer, upload)


def try_again(uploader: Uploader, upload: Upload) -> Iterator[Attempt]:
    """Repeats an upload with an Idempotency-Key while a repetition may help. Yields every attempt."""
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while True:
        attempt = send(uploader, upload)
        yield attempt
        if not is_retryable(attempt) or time.monotonic() > deadline:
            return
        time.sleep(0.1)


def is_retryable(attempt: Attempt) -> bool:
    return attempt.answer is None or "retry-after" in attempt.answer.headers


def delete(uploader: Uploader, recording: str) -> Attempt:
    answer = call(uploader.port, "DELETE", f"/records/{recording}", token=uploader.token)
    return Attempt("delete", uploader.user, answer, deletes=recording)


def delete_user(uploader: Uploader) -> Attempt:
    answer = call(uploader.port, "DELETE", "/users/me", token=uploader.token)
    return Attempt("delete of a user", uploader.user, answer, deletes=EVERYTHING)


def call(port: int, method: str, path: str, *, token: str = "") -> Answer | None:
    """Sends a request without a body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return exchange(port, f"{head}Authorization: Bearer {token}\r\n\r\n".encode())


def exchange(port: int, request: bytes, *, timeout_s: float = ANSWER_WITHIN_S) -> Answer | None:
    """None if the connection failed or ended without a response; HUNG if there is none within `timeout_s`."""
    try:
        with connected(port, timeout_s) as connection:
            with suppress(ConnectionError):  # an early response may still be readable
                connection.sendall(request)
            return answered(connection)
    except ConnectionError:
        return None
    except TimeoutError:
        return HUNG


def connected(port: int, timeout_s: float = ANSWER_WITHIN_S) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", port), timeout=timeout_s))


def answered(connection: socket.socket) -> Answer | None:
    """Reads the response. None and HUNG as in `exchange`."""
    try:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except (ConnectionError, http.client.HTTPException):
        return None
    except TimeoutError:
        return HUNG
