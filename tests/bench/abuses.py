"""What one address may do to the service: a table of abuses. `abuse.py` runs each of them as a process of its own.

python tests/bench/abuses.py NAME     reads a Target as JSON from its standard input

All connections come from ABUSER and go to the loopback interface. When its time is over, the process prints what it
reached (a JSON object of counts) and ends; the kernel closes its connections.
"""

import asyncio
import json
import os
import re
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from factories import chunk, fmt_chunk, riff
from pigwav.settings import HttpSettings, UploadLimits

ABUSER: Final = "127.0.0.66"
NICENESS: Final = 10
"""A real abuser takes no CPU of the service's machine. This one comes after the service."""

FORMS: Final = 64
FILE_BYTES: Final = 1 << 20
"""A form without credentials may hold this much of its file."""

PIPELINING: Final = 500
PIPELINED: Final = 16
HEAD_BYTES: Final = 30_000
BIG_ANSWERS: Final = 3
"""1.5 MB each. The kernel takes 2.6 MB for a client that reads nothing."""

SLOW_HEADS: Final = 2_000
EXPANDING: Final = 8
REQUESTING: Final = 16
DECODING: Final = 64
BEYOND: Final = 300
"""Connections and downloads more than the service accepts. The first 200 connections beyond its limit get an answer."""

ATTEMPTS_PER_S: Final = 2_000
"""New connections of one abuse, at most: traffic is bounded, and the machine is shared with the honest clients."""

_RECEIVE_BUFFER_BYTES: Final = 16 * 1024
_SILENCE: Final = 3_600.0
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""From include/uapi/linux/in.h: one port may be used for several destinations."""


@dataclass(frozen=True)
class Target:
    """The service, the abuser's own account, and a link to a recording that does not fit into the kernel's buffers."""

    host: str
    port: int
    user: int
    token: str
    link: str
    seconds: float


@dataclass
class Abuser:
    """Opens connections from ABUSER and counts them. `reached`: counts of what the abuse did."""

    target: Target
    reached: Counter[str] = field(default_factory=Counter)
    _open: int = 0
    _next_s: float = 0.0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[socket.socket]:
        """A connection of its own. Raises OSError."""
        await self._turn()
        with socket.socket() as connection:
            connection.setblocking(False)  # noqa: FBT003 - its name says it
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((ABUSER, 0))
            await asyncio.get_running_loop().sock_connect(connection, (self.target.host, self.target.port))
            self.reached["connections"] += 1
            self._open += 1
            self.reached["open at once"] = max(self.reached["open at once"], self._open)
            try:
                yield connection
            finally:
                self._open -= 1

    async def _turn(self) -> None:
        """Waits for this attempt's turn: ATTEMPTS_PER_S of them in a second."""
        self._next_s = max(self._next_s, time.monotonic()) + 1 / ATTEMPTS_PER_S
        await asyncio.sleep(self._next_s - time.monotonic())

    def head(self, method: str, target: str, *fields: str) -> bytes:
        """Without a token."""
        return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: abuse", *fields, "", "")).encode()

    def upload_head(self, length: int, query: str = "") -> bytes:
        bearer = f"Authorization: Bearer {self.target.token}"
        return self.head(
            "POST", f"/records{query}", bearer, "Content-Type: audio/wav", f"Content-Length: {length}"
        )

    def answered(self, answer: bytes) -> None:
        if answer:
            self.reached[f"answers {answer[9:12].decode('latin-1')}"] += 1


Abuse = Callable[[Abuser], Awaitable[None]]


async def forms_without_credentials(abuser: Abuser) -> None:
    """A form whose first part is a file of 1 MiB, and then silence."""
    head = abuser.head(
        "POST", "/records", "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {100 << 20}"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    async with abuser.connected() as connection:
        await asyncio.get_running_loop().sock_sendall(
            connection, head + part + _pcm_wav(FILE_BYTES)[:FILE_BYTES]
        )
        abuser.answered(await _answer(connection))


async def idle_connections(abuser: Abuser) -> None:
    """A connection that stays open after one small request: it may, for longer than one without a request."""
    loop = asyncio.get_running_loop()
    async with abuser.connected() as connection:
        await loop.sock_sendall(connection, abuser.head("GET", "/healthz"))
        abuser.answered(await _answer(connection))
        await loop.sock_recv(connection, 1)  # until the service closes the connection


async def slow_downloads(abuser: Abuser) -> None:
    """A download of a link that is read at 1 KB/s."""
    loop = asyncio.get_running_loop()
    async with abuser.connected() as connection:
        await loop.sock_sendall(connection, abuser.head("GET", abuser.target.link))
        answer = await loop.sock_recv(connection, 1_024)
        abuser.answered(answer)
        while answer:
            await asyncio.sleep(1)
            answer = await loop.sock_recv(connection, 1_024)


async def dripping_uploads(abuser: Abuser) -> None:
    """An upload of the abuser that sends some samples, and then one sample a second."""
    await _drip(abuser, _pcm_wav(64 * 1024))


async def dripping_decoders(abuser: Abuser) -> None:
    """The same for IMA ADPCM, which needs an ffmpeg process."""
    fmt = fmt_chunk(tag=0x11, rate=8_000, channels=1, bits=4, block=256, more=b"\2\0\xf9\1")
    await _drip(abuser, riff(fmt + chunk(b"data", bytes(256 * 16), size=100 << 20)))


async def _drip(abuser: Abuser, begin: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with abuser.connected() as connection:
        await loop.sock_sendall(connection, abuser.upload_head(100 << 20) + begin)
        ended = asyncio.ensure_future(_answer(connection))
        try:
            while not (await asyncio.wait({ended}, timeout=1))[0]:
                await loop.sock_sendall(connection, b"\0\0")
            abuser.answered(await ended)
        finally:
            ended.cancel()


async def unread_pipelines(abuser: Abuser) -> None:
    """16 requests with heads of 30 KB behind answers that the kernel does not buffer. None of them is read."""
    big = abuser.head("GET", "/docs/assets/swagger-ui-bundle.js") * BIG_ANSWERS
    more = abuser.head("GET", "/healthz", f"X-Padding: {'x' * HEAD_BYTES}") * PIPELINED
    async with abuser.connected() as connection:
        await asyncio.get_running_loop().sock_sendall(connection, big + more)
        await asyncio.sleep(_SILENCE)


async def costly_wavs(abuser: Abuser) -> None:
    """Uploads in a row of WAVs that are long in seconds and short in bytes: 43 KB at 1 Hz, and 100 KB at 200 Hz. The
    first is refused, and the second is just accepted.
    """
    loop = asyncio.get_running_loop()
    for rate_hz, size_bytes in ((1, 43_000), (200, 100_000)):
        body = riff(fmt_chunk(rate=rate_hz, channels=1, bits=8) + chunk(b"data", bytes(size_bytes)))
        async with abuser.connected() as connection:
            await loop.sock_sendall(connection, abuser.upload_head(len(body), "?bitrate=64") + body)
            abuser.answered(await _answer(connection))


async def wrong_requests(abuser: Abuser) -> None:
    """Links that do not exist and tokens that are wrong, one after the other on one connection."""
    loop = asyncio.get_running_loop()
    nothing = "00000000-0000-4000-8000-000000000000"
    requests = (
        abuser.head("GET", f"/record?id={nothing}&user=1"),
        abuser.head("GET", "/users/me", f"Authorization: Bearer {nothing}"),
    )
    async with abuser.connected() as connection:
        while True:
            for request in requests:
                await loop.sock_sendall(connection, request)
                answer = await _answer(connection)
                abuser.answered(answer)
                if not answer:
                    return


async def slow_heads(abuser: Abuser) -> None:
    """A request's head of which one byte is sent each second."""
    loop = asyncio.get_running_loop()
    async with abuser.connected() as connection:
        await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nHost: abuse\r\nX: ")
        ended = asyncio.ensure_future(_answer(connection))
        try:
            while not (await asyncio.wait({ended}, timeout=1))[0]:
                await loop.sock_sendall(connection, b"x")
            abuser.answered(await ended)
        finally:
            ended.cancel()


@dataclass(frozen=True)
class Kind:
    """An abuse by `actor`, done `at_once` times at the same time; each is repeated when it has ended.

    `builds_up_s`: seconds until it has its full effect; it lasts longer by these.
    """

    actor: str
    title: str
    abuse: Abuse
    at_once: int
    builds_up_s: float = 0.0


ABUSES: Final[dict[str, Kind]] = {
    "forms": Kind(
        "unauthenticated client", f"{FORMS} forms, 1 MiB, then silence", forms_without_credentials, FORMS
    ),
    "connections": Kind(
        "unauthenticated client",
        "all connections, idle",
        idle_connections,
        HttpSettings().max_connections + BEYOND,
        6,
    ),
    "heads": Kind("unauthenticated client", f"{SLOW_HEADS:,} heads at 1 B/s", slow_heads, SLOW_HEADS),
    "pipelines": Kind(
        "unauthenticated client",
        f"{PIPELINING} pipelines of 30 KB heads, unread",
        unread_pipelines,
        PIPELINING,
    ),
    "requests": Kind("unauthenticated client", "404 and 401 as fast as possible", wrong_requests, REQUESTING),
    "downloads": Kind(
        "link holder",
        "all downloads, read at 1 KB/s",
        slow_downloads,
        HttpSettings().max_open_downloads + BEYOND,
        15,
    ),
    "uploads": Kind("user", "all uploads, dripping", dripping_uploads, UploadLimits().max_open_uploads),
    "decoders": Kind("user", "all decoders, dripping", dripping_decoders, DECODING),
    "expansions": Kind("user", "the most costly WAVs, in a row", costly_wavs, EXPANDING),
}


async def run(kind: Kind, target: Target) -> Counter[str]:
    """Returns the counts when `target.seconds` are over."""
    abuser = Abuser(target)
    tasks = [asyncio.create_task(_repeated(kind.abuse, abuser)) for _ in range(kind.at_once)]
    try:
        await asyncio.wait(tasks, timeout=target.seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()  # raises what should not happen
    finally:
        for task in tasks:
            task.cancel()
    return abuser.reached


async def _repeated(abuse: Abuse, abuser: Abuser) -> None:
    while True:
        try:
            await abuse(abuser)
        except OSError as error:
            abuser.reached[f"ended: {error.strerror}"] += 1


async def _answer(connection: socket.socket) -> bytes:
    """An answer with its body; empty if the connection ends before."""
    loop, answer = asyncio.get_running_loop(), b""
    while True:
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head) if end else None
        if length and len(body) >= int(length[1]):
            return answer
        if not (more := await loop.sock_recv(connection, 16_384)):
            return b""
        answer += more


def _pcm_wav(size_bytes: int) -> bytes:
    return riff(fmt_chunk(rate=8_000, channels=1) + chunk(b"data", bytes(size_bytes), size=100 << 20))


def main(name: str) -> None:
    os.nice(NICENESS)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    target = Target(**json.load(sys.stdin))
    print(json.dumps(asyncio.run(run(ABUSES[name], target))), flush=True)
    os._exit(0)  # the kernel closes thousands of connections faster than asyncio


if __name__ == "__main__":
    main(sys.argv[1])
