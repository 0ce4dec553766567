"""One interface for both clients, so that each test runs with both; and responses of stub services."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fakes.stub_service import Reply, Stub, stub_service
from pigwav.client import AsyncPigWavClient, PigWavClient

OpenClient = Callable[..., Any]
"""Takes the clients' arguments. Returns a context manager for a client whose calls return values."""

TOKEN: Final = "23e10bfa-ce68-4444-95dd-4af608f2bf47"
ID: Final = "afadaeeb-2842-41de-987c-ae31169310b5"
CREDENTIALS: Final = (1, TOKEN)
LINK: Final = f"http://localhost:8080/record?id={ID}&user=1"


class Awaited:
    """An AsyncPigWavClient with synchronous calls: each one is awaited."""

    def __init__(self, client: AsyncPigWavClient, loop: asyncio.Runner) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **more: self._loop.run(method(*args, **more))

    def recordings(self, **more: Any) -> list:
        async def listed() -> list:
            return [recording async for recording in self._client.recordings(**more)]

        return self._loop.run(listed())

    @contextmanager
    def stream(self, link: str) -> Iterator[Iterator[bytes]]:
        streaming = self._client.stream(link)
        blocks = self._loop.run(streaming.__aenter__())
        try:
            yield self._each(blocks)
        finally:
            self._loop.run(streaming.__aexit__(None, None, None))

    def _each(self, blocks: Any) -> Iterator[bytes]:
        async def following() -> bytes | None:
            return await anext(blocks, None)

        while (block := self._loop.run(following())) is not None:
            yield block


@contextmanager
def awaited(*args: Any, **more: Any) -> Iterator[Awaited]:
    with asyncio.Runner() as loop:
        client = AsyncPigWavClient(*args, **more)
        try:
            yield Awaited(client, loop)
        finally:
            loop.run(client.aclose())


@contextmanager
def talking(
    open_client: OpenClient, answer: Reply | Callable[[str, str], Reply], *credentials: Any, **more: Any
) -> Iterator[tuple[Stub, Any]]:
    """A stub service with these replies, and a client."""
    replies = (lambda *_: answer) if isinstance(answer, Reply) else answer
    with stub_service(replies) as stub, open_client(stub.url, *credentials, **more) as client:
        yield stub, client


CLIENTS: Final[dict[str, OpenClient]] = {"sync": PigWavClient, "async": awaited}


def recording_json(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "user": 1,
        "url": LINK,
        "page_url": f"http://localhost:8080/listen?id={ID}&user=1",
        "title": "Запись",
        "created_at": "2026-11-24T08:00:00.5Z",
        "duration_ms": 1500,
        "declared_duration_ms": None,
        "truncated": False,
        "bytes": 24000,
        "sha256": "ab" * 32,
        "wav_bytes": 264_644,
        "wav_sha256": "cd" * 32,
        "sample_rate_hz": 44_100,
        "channels": 2,
        "bitrate_kbps": 128,
        "peak_dbfs": -1.32,
        "source": {"codec": "pcm_s24le", "sample_rate_hz": 44_100, "channels": 2, "bits": 24},
        "tags": {"title": "Запись", "artist": "Пётр", "time_reference_samples": 0, "of_tomorrow": 1},
        "warnings": [],
        "levels": None,
        "peaks": None,
        "something_new": True,
        **more,
    }


UPLOADED: Final = Reply.json(201, recording_json())
REGISTERED: Final = Reply.json(201, {"id": 7, "name": "Пётр", "token": TOKEN})
