"""A call to the store that was given up may take effect later: its row must outlive the upload, so that sweep looks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, Gate, unavailable
from pigwav.errors import UploadBroken
from pigwav.wiring import Services
from traces import Traces
from uploading import blocks, new_user


@pytest.mark.parametrize("operation", ["begin_multipart", "put_part"])
def test_a_client_that_leaves_while_the_store_does_not_answer_leaves_a_row(
    services: Services, store: FaultyStore, operation: str
) -> None:
    gate = Gate()

    def hang() -> None:
        gate()
        unavailable()

    async def breaks_off() -> AsyncIterator[bytes]:
        async for block in blocks(wav(seconds=140, rate=48_000, channels=1)):
            yield block
        await asyncio.to_thread(gate.reached.wait)
        asyncio.get_running_loop().call_later(0.01, gate.open)
        raise UploadBroken

    async def run() -> int:
        user = await new_user(services)
        with pytest.raises(UploadBroken):
            await services.add_recording(user, breaks_off(), bitrate_kbps=320)
        return user

    store.before[operation] = hang
    user = asyncio.run(run())

    assert Traces(services).of(user) == ["pending"]
    assert Traces(services).of_store(user) == []
