"""A store call that timed out may take effect later, so the row must outlive the upload until sweep has checked."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from factories import wav
from fakes.faulty_store import FaultyStore, Gate, unavailable
from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey
from pigwav.errors import UploadBroken
from pigwav.store.base import ObjectHeaders
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
        # Longer than what fills a part: the last segments of what has been sent may still be in the encoder.
        async for block in blocks(wav(seconds=300, rate=48_000, channels=1)):
            yield block
            if gate.reached.is_set():
                break
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

    assert Traces(services).of(user) == ["deleted"], "a tombstone: sweep checks again"
    assert Traces(services).of_store(user) == []

    store.before.clear()
    takes_effect_after_all(services, store, user)
    services.sweep()
    assert Traces(services).of(user) == ["deleted"], (
        "sweep waits for the length of a lease, or it would check too early"
    )

    let_the_lease_run_out(services)
    services.sweep()
    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def takes_effect_after_all(services: Services, store: FaultyStore, user: int) -> None:
    """Executes the store call that timed out."""
    with services.sweep.database.read() as db:
        of_user = select(RecordingRow.object_key).where(RecordingRow.user_id == user)
        key = ObjectKey(db.execute(of_user).scalar_one())
    store.begin_multipart(key, ObjectHeaders())


def let_the_lease_run_out(services: Services) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql("UPDATE recordings SET lease_until = now() - interval '1 s'")
