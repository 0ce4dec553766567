"""Many clients on one event loop that use little CPU, because they share the machine with the service.

Phones upload at the speed of recording, listeners read at the speed of playback, others send light requests.
"""

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from factories import chunk, fmt_chunk, riff

VOICE_BYTES_PER_S: Final = 16_000
"""16-bit mono at 8 kHz."""

BLOCK_S: Final = 0.5
NOT_ANSWERED: Final = 0
"""The status if the connection failed or ended before the response."""

_TIMEOUT_S: Final = 60.0
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Answer:
    """`seconds`: from the start of the request to the end of the response."""

    status: int
    body: bytes
    seconds: float
    retry_after_s: float = 0.0

    @property
    def code(self) -> str:
        return json.loads(self.body)["code"] if self.body.startswith(b"{") and self.status >= 400 else ""


class Exchange(asyncio.Protocol):
    """One connection, one request at a time. The response's body is held in memory."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment] # set by connection_made
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def request(self, data: bytes) -> None:
        """Starts a request. `data` may be only the first part of it."""
        self._began_s = time.perf_counter()
        self._is_head = data.startswith(b"HEAD")
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self.transport.write(data)

    @property
    def answered(self) -> bool:
        return self._answer.done()

    async def answer(self) -> Answer:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await asyncio.shield(self._answer)
        except TimeoutError:
            return Answer(NOT_ANSWERED, b"", _TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, _ = self._received.partition(b"\r\n\r\n")
        if not end or self._answer.done():
            return
        fields = dict(line.lower().split(b": ", 1) for line in bytes(head).split(b"\r\n")[1:])
        length = 0 if self._is_head else int(fields.get(b"content-length", 0))
        if len(self._received) >= len(head) + 4 + length:
            self._end(int(head.split()[1]), bytes(self._received[len(head) + 4 :]), fields)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self._answer.done():
            self._end(NOT_ANSWERED, b"", {})

    def _end(self, status: int, body: bytes, fields: dict[bytes, bytes]) -> None:
        seconds = time.perf_counter() - self._began_s
        self._answer.set_result(Answer(status, body, seconds, float(fields.get(b"retry-after", 0))))

    def leave(self) -> None:
        self.transport.abort()


@dataclass(frozen=True)
class Caller:
    """The service that the clients call, and their credentials."""

    host: str
    port: int
    user: int
    token: str

    def head(self, method: str, target: str, *fields: str) -> bytes:
        lines = (f"{method} {target} HTTP/1.1", "Host: bench", f"Authorization: Bearer {self.token}", *fields)
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def connect(self) -> Exchange:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        _, exchange = await loop.create_connection(Exchange, self.host, self.port)
        return exchange

    async def call(self, request: bytes) -> Answer:
        """Sends a request on a new connection. The status is NOT_ANSWERED if there is no response."""
        began_s = time.perf_counter()
        try:
            exchange = await self.connect()
        except OSError:
            return Answer(NOT_ANSWERED, b"", time.perf_counter() - began_s)
        exchange.request(request)
        try:
            return await exchange.answer()
        finally:
            exchange.leave()


@dataclass
class Seen:
    """The clients' measurements. Keys of counters: the status, followed by the problem's code for an error."""

    uploads: Counter[str] = field(default_factory=Counter)
    refusal_s: list[float] = field(default_factory=list)
    recordings: list[dict[str, Any]] = field(default_factory=list)
    light: Counter[str] = field(default_factory=Counter)
    light_s: list[float] = field(default_factory=list)
    burst_s: list[float] = field(default_factory=list)
    listeners: Counter[str] = field(default_factory=Counter)
    heard_bytes: int = 0

    def upload_ended(self, answer: Answer) -> None:
        self.uploads[_outcome(answer)] += 1
        if answer.status == 201:
            self.recordings.append(json.loads(answer.body))
        elif answer.status in (429, 503):
            self.refusal_s.append(answer.seconds)


def _outcome(answer: Answer) -> str:
    return f"{answer.status} {answer.code}".strip()


def voice(pcm: bytes, seconds: float) -> bytes:
    """A phone's WAV, cut from `pcm`."""
    return riff(fmt_chunk(rate=8000, channels=1) + chunk(b"data", pcm[: int(seconds) * VOICE_BYTES_PER_S]))


async def phone(
    caller: Caller, wavs: Sequence[bytes], seen: Seen, over: asyncio.Event, begin_s: float
) -> None:
    """Uploads at the speed of recording, repeatedly; after a refusal, waits as long as Retry-After says.

    The first upload has a random length, so that the phones do not end together.
    """
    await asyncio.sleep(begin_s)
    wav = voice(random.choice(wavs)[44:], random.uniform(5, 40))
    while not over.is_set():
        answer = await _upload(caller, wav, over)
        if answer is None:
            return
        seen.upload_ended(answer)
        await asyncio.sleep(answer.retry_after_s * random.uniform(1, 1.5))
        wav = random.choice(wavs)


async def _upload(caller: Caller, wav: bytes, over: asyncio.Event) -> Answer | None:
    """None if the load test ended before the upload."""
    began_s = time.perf_counter()
    try:
        exchange = await caller.connect()
    except OSError:
        return Answer(NOT_ANSWERED, b"", time.perf_counter() - began_s, 5)
    length = f"Content-Length: {len(wav)}"
    exchange.request(caller.head("POST", f"/records?user={caller.user}", "Content-Type: audio/wav", length))
    step = int(VOICE_BYTES_PER_S * BLOCK_S)
    try:
        for number, start in enumerate(range(0, len(wav), step), 1):
            if exchange.answered or over.is_set():
                break
            exchange.transport.write(memoryview(wav)[start : start + step])
            await asyncio.sleep(began_s + number * BLOCK_S - time.perf_counter())
        else:
            return await exchange.answer()
        return await exchange.answer() if exchange.answered else None
    finally:
        exchange.leave()


class _Listener(asyncio.Protocol):
    """Reads at most `bytes_per_s`."""

    def __init__(self, request: bytes, bytes_per_s: float, seen: Seen, ended: Callable[[str], None]) -> None:
        self._request = request
        self._bytes_per_s = bytes_per_s
        self._seen = seen
        self._ended = ended
        self.status = str(NOT_ANSWERED)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.status == str(NOT_ANSWERED):
            self.status = data[9:12].decode()
        self._seen.heard_bytes += len(data)
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(len(data) / self._bytes_per_s, self._go_on)

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._ended(self.status)


async def listener(caller: Caller, link: str, seen: Seen, over: asyncio.Event, begin_s: float) -> None:
    """Downloads the recording at the speed of playback, repeatedly; waits 5 s after a refusal."""
    await asyncio.sleep(begin_s)
    loop = asyncio.get_running_loop()
    while not over.is_set():
        ended = loop.create_future()
        speed = random.uniform(16_000, 32_000)
        ear = _Listener(
            caller.head("GET", link), speed, seen, lambda status, e=ended: e.done() or e.set_result(status)
        )
        try:
            transport, _ = await loop.create_connection(
                lambda ear=ear: ear, sock=await _narrow_socket(caller)
            )
        except OSError:
            ended.set_result(str(NOT_ANSWERED))
        waits = asyncio.ensure_future(over.wait())
        await asyncio.wait({ended, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        if ended.done():
            seen.listeners[ended.result()] += 1
            await asyncio.sleep(0 if ended.result() == "200" else 5)
        else:
            seen.listeners["200"] += ear.status == "200"
            transport.abort()


async def _narrow_socket(caller: Caller) -> socket.socket:
    """A connected socket whose receive buffer is too small for the whole recording."""
    narrow = socket.socket()
    narrow.setblocking(False)  # noqa: FBT003 - its name says it
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    await asyncio.get_running_loop().sock_connect(narrow, (caller.host, caller.port))
    return narrow


class LightRequests:
    """A random mix: the user's own data, the list of recordings, HEAD of a link, and (1 in 10) a new user."""

    def __init__(self, caller: Caller, link: str) -> None:
        self._caller = caller
        self._kinds = (
            caller.head("GET", "/users/me"),
            caller.head("GET", "/records?limit=20"),
            caller.head("HEAD", link),
        )
        self._users = 0

    def next(self) -> bytes:
        if random.random() < 0.1:
            self._users += 1
            body = f'{{"name": "{time.time_ns()}-{self._users}"}}'
            fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
            return self._caller.head("POST", "/users", *fields) + body.encode()
        return random.choice(self._kinds)

    async def steadily(self, per_s: float, seen: Seen, over: asyncio.Event) -> None:
        """Sends requests one at a time on one persistent connection, `per_s` on average."""
        exchange, due_s = None, time.perf_counter()
        while not over.is_set():
            due_s = max(due_s + random.expovariate(per_s), time.perf_counter())
            await asyncio.sleep(due_s - time.perf_counter())
            try:
                if exchange is None or exchange.transport.is_closing():
                    exchange = await self._caller.connect()
            except OSError:
                seen.light[str(NOT_ANSWERED)] += 1
                continue
            exchange.request(self.next())
            answer = await exchange.answer()
            seen.light[_outcome(answer)] += 1
            seen.light_s.append(answer.seconds)
        if exchange is not None:
            exchange.leave()

    async def in_bursts(self, at_once: int, seen: Seen, over: asyncio.Event) -> None:
        """Sends `at_once` requests at the same time every second, each on a new connection."""
        while not over.is_set():
            began_s = time.perf_counter()
            for answer in await asyncio.gather(*(self._caller.call(self.next()) for _ in range(at_once))):
                seen.light[_outcome(answer)] += 1
                seen.burst_s.append(answer.seconds)
            await asyncio.sleep(max(0.0, began_s + 1 - time.perf_counter()))


def percentile(seconds: Sequence[float], share: float) -> float:
    """NaN if `seconds` is empty."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] if seconds else float("nan")
