"""An upload that several threads encode: its PCM counts as memory while it is held, and what is stored is whole."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from factories import wav
from mp3_walker import walk
from parallel_encoding import Eager
from pigwav.domain import Recording
from pigwav.errors import UploadBroken
from pigwav.wiring import Services
from traces import Traces
from uploading import blocks, new_user

SECONDS = 14


@pytest.fixture
def eager(services: Services) -> Services:
    """Services that divide a few seconds among the threads, however busy these are."""
    add = services.add_recording
    converter = replace(add.converter, segments=lambda mp3, _: Eager(mp3, segment=98, most_runs=3))
    return replace(services, add_recording=replace(add, converter=converter))


def held_bytes(services: Services) -> float:
    found = re.search(rb"^pigwav_upload_held_bytes (\S+)$", services.metrics.exposition(), re.MULTILINE)
    assert found
    return float(found[1])


def test_pcm_counts_as_memory_of_the_upload_while_it_is_held(eager: Services) -> None:
    held: list[float] = []

    async def watched() -> AsyncIterator[bytes]:
        async for block in blocks(wav(SECONDS, content="noise")):
            held.append(held_bytes(eager))
            yield block

    async def run() -> tuple[Recording, bytes]:
        recording = await eager.add_recording(await new_user(eager), watched(), bitrate_kbps=320)
        read = await eager.read_recording(recording.object_key, 0, recording.facts.size_bytes)
        return recording, b"".join([block async for block in read])

    recording, stored = asyncio.run(run())
    assert max(held) > recording.facts.size_bytes, "more than all of the MP3"
    assert held_bytes(eager) == 0
    assert len(stored) == recording.facts.size_bytes
    assert walk(stored).problems == []


def test_an_upload_that_breaks_off_in_mid_segment_leaves_nothing(eager: Services) -> None:
    async def run() -> None:
        user = await new_user(eager)
        with pytest.raises(UploadBroken):
            await eager.add_recording(user, blocks(wav(SECONDS), then=UploadBroken()))
        assert eager.executors.cpu.idle_threads == eager.executors.cpu.width
        assert Traces(eager).of(user) == Traces(eager).of_store(user) == []

    asyncio.run(run())
    assert held_bytes(eager) == 0
