"""An upload ends as an acknowledged recording, or leaves nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from factories import wav
from fakes.faulty_database import FaultyDatabase
from fakes.faulty_store import FaultyStore, Gate, OnCall, unavailable
from fakes.late_commit import LateCommit
from longer import long
from pigwav.db import sweeping
from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey, Recording, RecordingId, UserId
from pigwav.errors import (
    DatabaseUnavailable,
    InvalidField,
    NotAuthenticated,
    ObjectMissing,
    StoreUnavailable,
    UploadBroken,
    UploadSuperseded,
)
from pigwav.settings import DatabaseSettings, Settings
from pigwav.store.base import ObjectHeaders
from pigwav.titles import Titles
from pigwav.wiring import Services, open_services
from traces import Traces
from uploading import add, blocks, fails, new_user
from waiting import wait_until

LONG_S = 300  # more than two parts at 320 kb/s


@pytest.fixture(scope="module")
def long_wav() -> bytes:
    return wav(seconds=LONG_S, rate=44100, channels=1)


def stored_bytes(services: Services, recording: Recording) -> bytes:
    async def run() -> bytes:
        read = await services.read_recording(recording.object_key, 0, recording.facts.size_bytes)
        return b"".join([block async for block in read])

    return asyncio.run(run())


def test_an_acknowledged_recording_is_ready_and_its_object_complete(services: Services) -> None:
    user, recording = add(services, wav(seconds=1))

    assert Traces(services).of(user) == ["ready"]
    assert len(stored_bytes(services, recording)) == recording.facts.size_bytes
    assert asyncio.run(services.find_recording(recording.id, user)) == recording


@pytest.mark.parametrize("operation", ["put"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_short_upload_that_the_store_fails_leaves_nothing(
    services: Services, store: FaultyStore, operation: str, when: str
) -> None:
    getattr(store, when)[operation] = unavailable

    user = fails(services, wav(seconds=1), StoreUnavailable)

    assert Traces(services).of(user) == ["deleted"], "the call may still take effect: sweep checks again"
    assert Traces(services).of_store(user) == []


@pytest.mark.parametrize("operation", ["put_part", *long("begin_multipart", "complete_multipart")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_long_upload_that_the_store_fails_leaves_nothing(
    services: Services, store: FaultyStore, long_wav: bytes, operation: str, when: str
) -> None:
    getattr(store, when)[operation] = unavailable

    user = fails(services, long_wav, StoreUnavailable)

    assert Traces(services).of(user) == ["deleted"], "the call may still take effect: sweep checks again"
    assert Traces(services).of_store(user) == []


def test_a_store_that_is_away_leaves_the_row_for_sweep(services: Services, store: FaultyStore) -> None:
    store.after["put"] = store.before["delete"] = unavailable

    user = fails(services, wav(seconds=1), StoreUnavailable)

    assert Traces(services).of(user) == ["pending"]
    assert len(Traces(services).of_store(user)) == 1


def test_an_upload_that_was_swept_before_its_bytes_arrived_and_cannot_remove_them_leaves_a_row_for_sweep(
    services: Services, store: FaultyStore
) -> None:
    """Its lease was lost, so its row is gone; then its object arrives, and the store is away."""

    def away() -> None:
        store.before["delete"] = unavailable

    store.before["put"] = lambda: lose_the_lease(services)
    store.after["put"] = away

    user = fails(services, wav(seconds=1), UploadSuperseded)

    assert len(Traces(services).of_store(user)) == 1
    del store.before["delete"]
    lose_the_lease(services)
    assert Traces(services).of_store(user) == []
    assert not services.check_agreement().orphans


def test_a_multipart_upload_that_was_swept_before_it_began_and_cannot_be_aborted_leaves_a_row_for_sweep(
    services: Services, store: FaultyStore, long_wav: bytes
) -> None:
    def away() -> None:
        store.before["abort_multipart"] = unavailable

    store.before["begin_multipart"] = lambda: lose_the_lease(services)
    store.after["begin_multipart"] = away

    fails(services, long_wav, UploadSuperseded)

    assert [*store.open_uploads()]
    del store.before["abort_multipart"]
    lose_the_lease(services)
    assert [*store.open_uploads()] == []


def test_an_upload_that_was_swept_before_a_call_that_may_take_effect_later_leaves_a_row_for_sweep(
    services: Services, store: FaultyStore
) -> None:
    store.before["put"] = lambda: lose_the_lease(services)
    store.after["put"] = unavailable

    fails(services, wav(seconds=1), StoreUnavailable)

    with services.sweep.database.read() as db:
        [key] = db.scalars(select(RecordingRow.object_key))
    store.before.clear()
    store.after.clear()
    store.put(ObjectKey(key), b"late", ObjectHeaders())
    lose_the_lease(services)
    assert store.stat(ObjectKey(key)) is None


def test_a_body_that_breaks_off_leaves_nothing(services: Services, long_wav: bytes) -> None:
    for body in (wav(seconds=1), long_wav):
        user = fails(services, body, UploadBroken, then=UploadBroken())

        assert Traces(services).of(user) == []
        assert Traces(services).of_store(user) == []


def test_cancelling_while_a_part_is_blocked_leaves_nothing(
    services: Services, store: FaultyStore, long_wav: bytes
) -> None:
    """Cancellation does not stop the thread that puts the part. Clean-up must wait, or the part is stored later."""
    gate = Gate()
    store.before["put_part"] = OnCall(1, gate)

    async def run() -> UserId:
        user = await new_user(services)
        upload = asyncio.create_task(services.add_recording(user, blocks(long_wav), bitrate_kbps=320))
        await asyncio.to_thread(gate.reached.wait)
        upload.cancel()
        await asyncio.sleep(0)
        upload.cancel()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await upload
        return user

    user = asyncio.run(run())

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def lose_the_lease(services: Services) -> None:
    """Lets all leases expire, then sweeps."""
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql("UPDATE recordings SET lease_until = now() - interval '1 s'")
    services.sweep()


def test_an_upload_whose_lease_has_expired_is_not_acknowledged(
    services: Services, store: FaultyStore
) -> None:
    """A replica was frozen beyond its lease and a sweep aborted its upload: it cleans up and raises the error."""

    store.after["put"] = lambda: lose_the_lease(services)

    user = fails(services, wav(seconds=1), UploadSuperseded)

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


@pytest.mark.parametrize("operation", ["complete_multipart", "stat", "read"])
def test_a_long_upload_whose_lease_has_expired_while_it_is_read_back_is_not_acknowledged(
    services: Services, store: FaultyStore, operation: str
) -> None:
    """The header declared more audio than came, so the first frame is rewritten; meanwhile sweep removes the object."""

    store.after[operation] = lambda: lose_the_lease(services)

    user = fails(services, longer_than_it_is(), UploadSuperseded)

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def test_a_long_object_that_is_gone_before_it_is_read_back_is_missing(
    services: Services, store: FaultyStore
) -> None:
    """The lease is valid: the store has lost the object."""

    def lose_the_object() -> None:
        with services.sweep.database.read() as db:
            pending = select(RecordingRow.object_key).where(RecordingRow.state == "pending")
            store.delete(db.execute(pending).scalar_one())

    store.after["stat"] = lose_the_object

    user = fails(services, longer_than_it_is(), ObjectMissing)

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def longer_than_it_is() -> bytes:
    """A WAV whose header declares more audio than it has. Its MP3 has two parts at 320 kb/s."""
    samples = 150 * 44_100
    return wav(samples=samples, rate=44_100, channels=1, content="silence", data_size=3 * samples)


def test_an_upload_that_was_aborted_does_not_come_back_to_life(
    services: Services, store: FaultyStore
) -> None:
    """A sweep has marked its row as deleted and not removed it yet."""

    def abort_it() -> None:
        with services.sweep.database.begin() as db:
            db.connection().exec_driver_sql("UPDATE recordings SET lease_until = now() - interval '1 s'")
            assert sweeping.abort_expired_uploads(db) == 1

    store.after["put"] = abort_it

    user = fails(services, wav(seconds=1), UploadSuperseded)

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def test_an_upload_of_a_user_who_is_gone_writes_nothing(services: Services, store: FaultyStore) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        await services.delete_user(user)
        with pytest.raises(NotAuthenticated):
            await services.add_recording(user, blocks(wav(seconds=1)))
        return user

    user = asyncio.run(run())

    assert Traces(services).of(user) == []
    assert "put" not in store.asked


def test_every_upload_returns_its_place_and_memory(services: Services) -> None:
    add(services, wav(seconds=1))
    fails(services, wav(seconds=1), UploadBroken, then=UploadBroken())

    text = services.metrics.exposition().decode()
    assert "pigwav_upload_held_bytes 0.0" in text


def test_an_object_says_what_it_is(services: Services, store: FaultyStore) -> None:
    async def run() -> Recording:
        user = await new_user(services)
        return await services.add_recording(user, blocks(wav(seconds=1)), titles=Titles("Запись"))

    recording = asyncio.run(run())

    key = recording.object_key
    assert key == f"recordings/{recording.user_id}/{recording.ready_at:%Y/%m}/{recording.id}.mp3"
    assert isinstance(recording.id, type(RecordingId(recording.id)))
    assert store.stat(key) is not None


DECLARE, ACKNOWLEDGE = 1, 2
"""The numbers of the transactions of an upload with one PUT."""


def with_faulty_database(services: Services, fails_at: int, *, answer_lost: bool) -> Services:
    database = FaultyDatabase(services.add_recording.database, fails_at=fails_at, answer_lost=answer_lost)
    return with_database(services, database)


def with_database(services: Services, database: Any) -> Services:
    return replace(services, add_recording=replace(services.add_recording, database=database))


def test_a_recording_that_was_acknowledged_is_answered_although_the_database_s_answer_got_lost(
    services: Services,
) -> None:
    user, recording = add(with_faulty_database(services, ACKNOWLEDGE, answer_lost=True), wav(seconds=1))

    assert Traces(services).of(user) == ["ready"]
    assert len(stored_bytes(services, recording)) == recording.facts.size_bytes


@pytest.mark.parametrize(
    ("fails_at", "answer_lost"), [(DECLARE, False), (DECLARE, True), (ACKNOWLEDGE, False)]
)
def test_an_upload_that_the_database_fails_leaves_nothing(
    services: Services, fails_at: int, *, answer_lost: bool
) -> None:
    faulty = with_faulty_database(services, fails_at, answer_lost=answer_lost)

    user = fails(faulty, wav(seconds=1), DatabaseUnavailable)

    assert Traces(services).of(user) == []
    assert Traces(services).of_store(user) == []


def test_a_commit_that_ends_after_its_caller_has_timed_out_makes_the_recording(services: Services) -> None:
    late = LateCommit(services.add_recording.database, at=ACKNOWLEDGE)

    with late.committed_when_awaited():
        user, recording = add(with_database(services, late), wav(seconds=1))

    assert Traces(services).of(user) == ["ready"]
    assert len(stored_bytes(services, recording)) == recording.facts.size_bytes


def test_while_a_commit_is_under_way_nothing_of_its_recording_is_removed(
    settings: Settings, own_database: DatabaseSettings, services: Services, store: FaultyStore
) -> None:
    brief = settings.model_copy(update={"database": own_database.model_copy(update={"timeout_s": 1})})
    with open_services(brief, store=store) as with_short_timeout:
        late = LateCommit(with_short_timeout.add_recording.database, at=ACKNOWLEDGE)
        user = fails(with_database(with_short_timeout, late), wav(seconds=1), DatabaseUnavailable)

        late.commit()

    assert Traces(services).of(user) == ["ready"]
    assert len(Traces(services).of_store(user)) == 1


def test_a_late_title_is_part_of_the_acknowledgement_and_an_unusable_one_refuses_it(
    services: Services,
) -> None:
    def unusable() -> str:
        raise InvalidField

    async def run() -> UserId:
        user = await new_user(services)
        one = await services.add_recording(
            user, blocks(wav(seconds=1)), titles=Titles(of_file="file", late=lambda: "late")
        )
        assert one.title == "late"
        two = await services.add_recording(
            user, blocks(wav(seconds=1)), titles=Titles(of_file="file", late=lambda: None)
        )
        assert two.title == "file"
        with pytest.raises(InvalidField):
            await services.add_recording(user, blocks(wav(seconds=1)), titles=Titles(late=unusable))
        return user

    assert Traces(services).of(asyncio.run(run())) == ["ready", "ready"]


def test_an_upload_that_has_lost_its_lease_stops_in_the_middle(services: Services) -> None:
    """Its user was deleted, so the service does not need the rest of the body."""
    seen = 0

    async def run(body: bytes) -> None:
        user = await new_user(services)
        with pytest.raises(UploadSuperseded):
            await services.add_recording(user, until_the_user_is_gone(user, body))

    async def until_the_user_is_gone(user: UserId, body: bytes) -> AsyncIterator[bytes]:
        nonlocal seen
        gone = False
        async for block in blocks(body):
            seen += len(block)
            if not gone and seen > len(body) // 4:
                gone = True
                await services.leases.renew()
                await services.delete_user(user)
                await services.leases.renew()
            yield block

    body = wav(seconds=60)
    asyncio.run(run(body))
    assert seen < len(body) // 2


def test_an_upload_that_ends_acknowledges_no_other_that_is_open(services: Services) -> None:
    async def run() -> None:
        first, second, goes_on = await new_user(services), await new_user(services), asyncio.Event()

        async def pauses() -> AsyncIterator[bytes]:
            async for block in blocks(wav(seconds=2)):
                yield block
                await goes_on.wait()

        open_one = asyncio.create_task(services.add_recording(first, pauses()))
        await asyncio.to_thread(wait_until, lambda: Traces(services).of(first) == ["pending"])
        ended = await services.add_recording(second, blocks(wav(seconds=1)))
        assert (Traces(services).of(first), Traces(services).of(second)) == (["pending"], ["ready"])

        goes_on.set()
        assert (await open_one).facts.audio.duration_ms == 2000
        assert ended.facts.audio.duration_ms == 1000
        assert Traces(services).of(first) == ["ready"]

    asyncio.run(run())
