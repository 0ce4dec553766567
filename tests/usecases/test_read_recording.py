"""A download completes even if the store fails temporarily."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, OnCall, unavailable
from pigwav.domain import ObjectKey, Recording
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import ObjectHeaders
from pigwav.store.memory import MemoryStore
from pigwav.usecases.read_recording import PIECE_BYTES, ReadRecording
from pigwav.wiring import Services
from uploading import add
from waiting import wait_until


def heard(services: Services, recording: Recording) -> bytes:
    async def run() -> bytes:
        blocks = await services.read_recording(recording.object_key, 0, recording.facts.size_bytes)
        return b"".join([block async for block in blocks])

    return asyncio.run(run())


def test_a_read_that_breaks_in_the_middle_goes_on_where_it_broke(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=30))
    whole = heard(services, recording)
    store.after["read"] = OnCall(2, unavailable)

    assert heard(services, recording) == whole
    assert store.asked.count("read") == 3


def test_a_store_that_gives_nothing_is_an_error_and_no_endless_loop(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=1))
    store.before["read"] = unavailable

    with pytest.raises(StoreUnavailable):
        heard(services, recording)


def test_a_recording_without_its_object_is_an_error_before_the_first_byte(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=1))
    store.delete(recording.object_key)

    with pytest.raises(ObjectMissing):
        heard(services, recording)


class CountingStore(MemoryStore):
    """`reads`: the pieces that were asked for. `open_reads`: those that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int]] = []
        self.open_reads = 0

    async def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        self.reads.append((start, stop))
        self.open_reads += 1
        try:
            async with aclosing(super().read(key, start, stop)) as blocks:
                async for block in blocks:
                    yield block
        finally:
            self.open_reads -= 1


def test_a_reader_that_pauses_holds_no_connection_to_the_store_and_misses_no_byte() -> None:
    store, key = CountingStore(), ObjectKey("recordings/1/2026/01/a.mp3")
    body = os.urandom(9 * PIECE_BYTES + 1)
    store.put(key, body, ObjectHeaders())

    async def pausing_at(*pauses: int) -> bytes:
        got = []
        async with aclosing(await ReadRecording(store)(key, 0, len(body))) as blocks:
            async for block in blocks:
                got.append(block)
                if len(got) in pauses:
                    await asyncio.to_thread(wait_until, lambda: store.open_reads == 0)
        return b"".join(got)

    assert asyncio.run(pausing_at(2, 3)) == body
    assert store.reads == [
        (0, len(body)),
        (2 * PIECE_BYTES, 3 * PIECE_BYTES),
        (3 * PIECE_BYTES, 4 * PIECE_BYTES),
        (4 * PIECE_BYTES, len(body)),
    ]
    assert store.open_reads == 0


def test_a_reader_that_leaves_in_a_pause_leaves_no_read() -> None:
    store, key = CountingStore(), ObjectKey("recordings/1/2026/01/a.mp3")
    store.put(key, bytes(9 * PIECE_BYTES), ObjectHeaders())

    async def leaving() -> None:
        async with aclosing(await ReadRecording(store)(key, 0, 9 * PIECE_BYTES)) as blocks:
            await anext(blocks)
            await anext(blocks)
            await asyncio.to_thread(wait_until, lambda: store.open_reads == 0)

    asyncio.run(leaving())
    assert len(store.reads) == 1
