"""A listener who disconnects frees all at once, although the store has stalled: nothing else would end the download."""

import asyncio
from collections.abc import AsyncGenerator

import httpx2
import pytest

from accounts import register
from api.sockets import connect
from pigwav.domain import ObjectKey
from pigwav.settings import Settings
from pigwav.store.memory import MemoryStore
from serving import served
from waiting import wait_until

SECONDS = 20


class StallingStore(MemoryStore):
    """Its reads stop after `blocks` blocks. `reading`: the reads that are open."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self._blocks = blocks
        self.reading = 0
        self.stalled = 0

    async def read(
        self,
        key: ObjectKey,
        start: int,
        stop: int,  # noqa: ARG002 - the interface's
    ) -> AsyncGenerator[bytes]:
        self.reading += 1
        try:
            for first in range(start, start + self._blocks):
                async for block in super().read(key, first, first + 1):
                    yield block
            self.stalled += 1
            await asyncio.Event().wait()
        finally:
            self.reading -= 1


@pytest.mark.parametrize("links_by_fastapi", [False, True])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_listener_who_leaves_while_the_store_has_stalled_frees_the_place_and_the_read(
    settings: Settings, blocks: int, *, links_by_fastapi: bool
) -> None:
    store = StallingStore(blocks)
    with (
        served(settings, store=store, links_by_fastapi=links_by_fastapi) as api,
        httpx2.Client(base_url=api.url) as http,
    ):
        path = register(http).recording(seconds=SECONDS)["url"].removeprefix(api.url)
        with connect(api) as listener:
            listener.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: store.stalled == 1)
            assert "pigwav_downloads_open 1.0" in http.get("/metrics").text

        wait_until(lambda: store.reading == 0)
        wait_until(lambda: "pigwav_downloads_open 0.0" in http.get("/metrics").text)
