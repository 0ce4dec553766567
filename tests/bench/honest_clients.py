"""A small load of honest clients: each does a round of everything that people do, once in a while."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from bench.load_clients import percentile
from factories import wav

ADDRESSES: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
ROUND_EVERY_S: Final = 1.0
TIMEOUT_S: Final = 10.0
"""An honest client that has waited this long for an answer gives up."""

NO_ANSWER: Final = "no answer"
_WAV: Final = wav(1, rate=8_000, channels=1)
_FOR_DECODER: Final = wav(0.5, rate=12_345, channels=1)
"""MP3 does not have this sample rate, so that an ffmpeg process converts it."""


@dataclass
class Results:
    """`served_s`: seconds of each request that succeeded. `refused`: the others, by status and code, and by kind."""

    served_s: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    refused_kinds: Counter[str] = field(default_factory=Counter)
    made: int = 0

    def add(self, kind: str, outcome: str, seconds: float) -> None:
        self.made += 1
        if outcome:
            self.refused[outcome] += 1
            self.refused_kinds[kind] += 1
        else:
            self.served_s.append(seconds)

    def p(self, share: float) -> float:
        """NaN if no request succeeded."""
        return percentile(self.served_s, share)


class HonestClient:
    """A user at an address of their own."""

    def __init__(self, url: str, address: str, user: int, token: str) -> None:
        self._url = url
        self._address = address
        self._user = str(user)
        self._token = token
        self._link = ""

    async def round(self, results: Results) -> bool:
        """One request of each kind, each on a new connection. Returns whether all of them succeeded."""
        before = results.refused.total()
        async with self._http() as http:
            for kind, request in self._requests(http):
                began_s = time.perf_counter()
                outcome = await self._outcome(request)
                results.add(kind, outcome, time.perf_counter() - began_s)
        return results.refused.total() == before

    def _requests(
        self, http: httpx2.AsyncClient
    ) -> "list[tuple[str, Callable[[], Awaitable[httpx2.Response]]]]":
        bearer = {"Authorization": f"Bearer {self._token}"}
        file = ("file", ("a.wav", _WAV, "audio/wav"))
        fields = [("user_id", (None, self._user)), ("token", (None, self._token))]
        raw = bearer | {"Content-Type": "audio/wav"}
        return [
            ("form", lambda: http.post("/records", files=[*fields, file])),
            ("file-first form", lambda: http.post("/records", files=[file, *fields])),
            ("raw upload", lambda: http.post("/records", content=_WAV, headers=raw)),
            ("upload for a decoder", lambda: http.post("/records", content=_FOR_DECODER, headers=raw)),
            ("download", lambda: http.get(self._link)),
            ("range", lambda: http.get(self._link, headers={"Range": "bytes=100-199"})),
            ("list", lambda: http.get("/records?limit=20", headers=bearer)),
            ("readiness", lambda: http.get("/readyz")),
        ]

    async def _outcome(self, request: Callable[[], Awaitable[httpx2.Response]]) -> str:
        """Empty if the request succeeded."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await request()
        except (httpx2.TransportError, TimeoutError):
            return NO_ANSWER
        if answer.status_code == 201:
            self._link = answer.json()["url"]
        return "" if answer.is_success else f"{answer.status_code} {_reason(answer)}".strip()

    @asynccontextmanager
    async def _http(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.AsyncHTTPTransport(
            local_address=self._address, limits=httpx2.Limits(max_keepalive_connections=0), verify=False
        )
        async with httpx2.AsyncClient(base_url=self._url, transport=transport, timeout=TIMEOUT_S) as http:
            yield http


def _reason(answer: httpx2.Response) -> str:
    """The limit that a problem document names, else its code."""
    try:
        problem: dict[str, Any] = answer.json()
    except json.JSONDecodeError:
        return ""
    return str(problem.get("limit") or problem.get("code"))


async def rounds_until(over: asyncio.Event, clients: list[HonestClient]) -> Results:
    """Each client begins a round every ROUND_EVERY_S, or later if the one before it takes longer."""
    results = Results()

    async def rounds(client: HonestClient) -> None:
        await asyncio.sleep(random.uniform(0, ROUND_EVERY_S))
        while not over.is_set():
            next_s = time.monotonic() + ROUND_EVERY_S
            await client.round(results)
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    await asyncio.gather(*map(rounds, clients))
    return results
