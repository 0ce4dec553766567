"""One Idempotency-Key creates one recording, despite repetitions, replicas and failures."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from factories import wav
from fakes.faulty_database import FaultyDatabase
from fakes.faulty_store import FaultyStore, Gate, OnCall, unavailable
from pigwav.domain import IdempotencyKey, Recording, UserId
from pigwav.errors import (
    DatabaseUnavailable,
    IdempotencyKeyReused,
    NotAuthenticated,
    PigWavError,
    RecordingNotFound,
    StoreUnavailable,
    UploadInProgress,
    UploadSuperseded,
)
from pigwav.settings import DatabaseSettings, Settings
from pigwav.wiring import Services, open_services
from traces import Traces
from uploading import blocks, new_user

BODY = wav(seconds=0.5)


def key(name: str = "first", *, fingerprint: bytes = b"f" * 32) -> IdempotencyKey:
    return IdempotencyKey(name, fingerprint)


async def upload(services: Services, user: UserId, key: IdempotencyKey) -> Recording:
    return await services.add_recording(user, blocks(BODY), idempotency_key=key)


def assert_one_recording(services: Services, user: UserId) -> None:
    """After a sweep, the user has one row, which is ready, and one object."""
    services.sweep()
    assert Traces(services).of(user) == ["ready"]
    assert len(Traces(services).of_store(user)) == 1


def test_a_second_try_gets_the_answer_of_the_first(services: Services) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        first = await upload(services, user, key())
        assert await upload(services, user, key()) == first
        return user

    assert_one_recording(services, asyncio.run(run()))


def test_a_second_try_is_answered_without_its_body(services: Services) -> None:
    async def run() -> None:
        user = await new_user(services)
        first = await upload(services, user, key())
        assert await services.add_recording(user, blocks(b"not even a WAV"), idempotency_key=key()) == first

    asyncio.run(run())


def test_a_try_at_another_replica_gets_the_same_answer(
    settings: Settings, own_database: DatabaseSettings, services: Services, store: FaultyStore
) -> None:
    async def run() -> None:
        user = await new_user(services)
        first = await upload(services, user, key())
        with open_services(settings.model_copy(update={"database": own_database}), store=store) as other:
            assert await upload(other, user, key()) == first

    asyncio.run(run())


def test_other_keys_and_other_users_have_recordings_of_their_own(services: Services) -> None:
    async def run() -> list[Recording]:
        one, other = await new_user(services), await new_user(services)
        return [
            await upload(services, one, key("a")),
            await upload(services, one, key("b")),
            await upload(services, other, key("a")),
        ]

    assert len({recording.id for recording in asyncio.run(run())}) == 3


def test_a_key_does_not_fit_another_upload(services: Services) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        await upload(services, user, key())
        with pytest.raises(IdempotencyKeyReused):
            await upload(services, user, key(fingerprint=b"g" * 32))
        return user

    assert Traces(services).of(asyncio.run(run())) == ["ready"]


def test_while_the_first_try_is_on_its_way_a_second_one_is_told_so(
    services: Services, store: FaultyStore
) -> None:
    gate = Gate()
    store.before["put"] = OnCall(1, gate)

    async def run() -> UserId:
        user = await new_user(services)
        first = asyncio.create_task(upload(services, user, key()))
        await asyncio.to_thread(gate.reached.wait)
        with pytest.raises(UploadInProgress):
            await upload(services, user, key())
        gate.open()
        assert await upload(services, user, key("another")) != await first
        assert await upload(services, user, key()) == await first
        return user

    assert Traces(services).of(asyncio.run(run())) == ["ready", "ready"]


def test_of_tries_that_arrive_together_one_makes_the_recording(services: Services) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        tries = await asyncio.gather(
            *(upload(services, user, key()) for _ in range(8)), return_exceptions=True
        )
        assert {type(answer) for answer in tries} <= {Recording, UploadInProgress}
        assert len({answer.id for answer in tries if isinstance(answer, Recording)}) == 1
        return user

    assert_one_recording(services, asyncio.run(run()))


def test_tries_that_failed_leave_the_key_free(services: Services, store: FaultyStore) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        with pytest.raises(PigWavError):
            await services.add_recording(user, blocks(b"RIFF....WAVEjunk"), idempotency_key=key())
        store.before["put"] = OnCall(1, unavailable)
        with pytest.raises(StoreUnavailable):
            await upload(services, user, key())
        assert (await upload(services, user, key())).facts.audio.duration_ms == 500
        return user

    assert Traces(services).of(asyncio.run(run())).count("ready") == 1


@contextmanager
def crashed(services: Services, store: FaultyStore) -> Iterator[None]:
    """Simulates a crash: in the block the store and clean-up fail, and the row stays pending."""
    store.before["put"] = store.before["delete"] = unavailable
    yield
    store.before.clear()
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(
            "UPDATE recordings SET state = 'pending', lease_id = gen_random_uuid() WHERE state = 'deleted'"
        )


def let_leases_expire(services: Services) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql("UPDATE recordings SET lease_until = now() - interval '1 s'")


def test_after_a_crash_the_key_is_held_until_the_lease_has_run_out_and_then_free(
    services: Services, store: FaultyStore
) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        with crashed(services, store), pytest.raises(StoreUnavailable):
            await upload(services, user, key())
        with pytest.raises(UploadInProgress):
            await upload(services, user, key())
        let_leases_expire(services)
        await upload(services, user, key())
        return user

    assert_one_recording(services, asyncio.run(run()))


@asynccontextmanager
async def frozen_beyond_its_lease(
    services: Services, store: FaultyStore, user: UserId
) -> AsyncIterator[None]:
    """During the block an upload is frozen beyond its lease. Then it continues and raises UploadSuperseded."""
    gate = Gate()
    store.after["put"] = OnCall(1, gate)
    frozen = asyncio.create_task(upload(services, user, key()))
    await asyncio.to_thread(gate.reached.wait)
    let_leases_expire(services)
    yield
    gate.open()
    with pytest.raises(UploadSuperseded):
        await frozen


def test_an_upload_whose_key_was_taken_over_does_not_come_back_to_life(
    services: Services, store: FaultyStore
) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        async with frozen_beyond_its_lease(services, store, user):
            second = await upload(services, user, key())
        assert await upload(services, user, key()) == second
        return user

    assert_one_recording(services, asyncio.run(run()))


def test_an_upload_that_sweep_aborted_leaves_its_key_free_when_it_wakes_up(
    services: Services, store: FaultyStore
) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        async with frozen_beyond_its_lease(services, store, user):
            await asyncio.to_thread(services.sweep)
        await upload(services, user, key())
        return user

    assert_one_recording(services, asyncio.run(run()))


def test_when_the_answer_to_the_last_commit_is_lost_a_second_try_gets_it(services: Services) -> None:
    """The connection broke between the commit and its response, and the database stayed unavailable."""

    async def run() -> UserId:
        user = await new_user(services)
        # transactions: 1 the pending row, 2 the acknowledgement
        dying = DyingDatabase(services.add_recording.database, fails_at=2, answer_lost=True)
        with pytest.raises(DatabaseUnavailable):
            await replace(services.add_recording, database=dying)(user, blocks(BODY), idempotency_key=key())
        assert (await upload(services, user, key())).facts.audio.duration_ms == 500
        return user

    assert_one_recording(services, asyncio.run(run()))


class DyingDatabase(FaultyDatabase):
    """A database that does not come back after it has failed."""

    def begin(self, *, one_statement: bool = False) -> AbstractContextManager[Session]:
        if self.has_failed:
            raise DatabaseUnavailable
        return super().begin(one_statement=one_statement)

    def read(self) -> AbstractContextManager[Session]:
        if self.has_failed:
            raise DatabaseUnavailable
        return super().read()


def test_a_recording_that_was_deleted_is_not_made_again_under_its_key(services: Services) -> None:
    async def run() -> UserId:
        user = await new_user(services)
        recording = await upload(services, user, key())
        await services.delete_recording(recording.id, user)
        await asyncio.to_thread(services.sweep)
        with pytest.raises(RecordingNotFound):
            await upload(services, user, key())
        return user

    assert Traces(services).of(asyncio.run(run())) == []


def test_sweep_forgets_old_keys_only(services: Services) -> None:
    async def run() -> tuple[UserId, Recording]:
        user = await new_user(services)
        await upload(services, user, key("old"))
        return user, await upload(services, user, key("new"))

    user, recent = asyncio.run(run())
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(
            "UPDATE idempotency_keys SET created_at = created_at - interval '25 h' WHERE key = 'old'"
        )
    services.sweep()

    assert asyncio.run(upload(services, user, key("new"))) == recent
    asyncio.run(upload(services, user, key("old")))
    assert Traces(services).of(user) == ["ready"] * 3


def test_keys_go_with_their_user(services: Services) -> None:
    async def run() -> None:
        user = await new_user(services)
        await upload(services, user, key())
        await services.delete_user(user)
        with pytest.raises(NotAuthenticated):
            await upload(services, user, key())

    asyncio.run(run())
    with services.sweep.database.read() as db:
        left = db.connection().exec_driver_sql(
            "SELECT count(*) FROM idempotency_keys WHERE user_id NOT IN (SELECT id FROM users)"
        )
        assert left.scalar_one() == 0
