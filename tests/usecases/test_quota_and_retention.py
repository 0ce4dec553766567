"""Quotas per user, and retention."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from factories import wav
from fakes.faulty_store import FaultyStore, Gate, OnCall
from pigwav.db.session import Database
from pigwav.domain import UserId
from pigwav.errors import QuotaExceeded
from pigwav.settings import DatabaseSettings, Settings
from pigwav.wiring import Services, open_services
from traces import Traces
from uploading import add, blocks, new_user
from waiting import wait_until

SECOND = wav(seconds=1)
SECOND_BYTES = 17_135  # 1 s at 128 kb/s, with the first frame


@contextmanager
def limited(
    settings: Settings, database: DatabaseSettings, store: FaultyStore, **limits: object
) -> Iterator[Services]:
    limited = settings.limits.model_copy(update=limits)
    update = {"database": database, "limits": limited}
    with open_services(settings.model_copy(update=update), store=store) as services:
        yield services


@pytest.fixture
def two_recordings(
    settings: Settings, own_database: DatabaseSettings, store: FaultyStore
) -> Iterator[Services]:
    with limited(settings, own_database, store, quota_recordings=2) as services:
        yield services


@pytest.fixture
def three_seconds(
    settings: Settings, own_database: DatabaseSettings, store: FaultyStore
) -> Iterator[Services]:
    with limited(settings, own_database, store, quota_bytes=3 * SECOND_BYTES + 100) as services:
        yield services


async def outcomes(services: Services, user: UserId, *bodies: bytes) -> list[str]:
    answers = await asyncio.gather(
        *(services.add_recording(user, blocks(body)) for body in bodies), return_exceptions=True
    )
    return sorted(type(answer).__name__ for answer in answers)


def test_a_user_has_as_many_recordings_as_the_quota_says_also_when_they_arrive_together(
    two_recordings: Services,
) -> None:
    async def run() -> UserId:
        user = await new_user(two_recordings)
        assert (
            await outcomes(two_recordings, user, *[SECOND] * 5) == ["QuotaExceeded"] * 3 + ["Recording"] * 2
        )
        return user

    user = asyncio.run(run())
    assert Traces(two_recordings).of(user) == ["ready", "ready"]
    assert len(Traces(two_recordings).of_store(user)) == 2


def test_a_deleted_recording_makes_room(two_recordings: Services) -> None:
    async def run() -> None:
        user = await new_user(two_recordings)
        first = await two_recordings.add_recording(user, blocks(SECOND))
        await two_recordings.add_recording(user, blocks(SECOND))
        with pytest.raises(QuotaExceeded, match=r"^A user may store at most 2 recordings; delete one\.$"):
            await two_recordings.add_recording(user, blocks(SECOND))
        await two_recordings.delete_recording(first.id, user)
        await two_recordings.add_recording(user, blocks(SECOND))

    asyncio.run(run())


def test_one_users_quota_is_not_anothers(two_recordings: Services) -> None:
    for _ in range(3):
        add(two_recordings, wav(seconds=0.1))


def test_bytes_that_are_known_to_be_too_many_are_refused_before_they_are_converted(
    three_seconds: Services, store: FaultyStore
) -> None:
    async def run() -> UserId:
        user = await new_user(three_seconds)
        with pytest.raises(QuotaExceeded):
            await three_seconds.add_recording(user, blocks(wav(seconds=4)))
        return user

    assert Traces(three_seconds).of(asyncio.run(run())) == []
    assert store.asked == []


def test_bytes_that_turn_out_to_be_too_many_leave_nothing(three_seconds: Services) -> None:
    """The header of a streamed WAV does not contain its length."""

    async def run() -> UserId:
        user = await new_user(three_seconds)
        await three_seconds.add_recording(user, blocks(SECOND))
        with pytest.raises(QuotaExceeded):
            await three_seconds.add_recording(user, blocks(wav(seconds=3, data_size=0xFFFFFFFF)))
        return user

    user = asyncio.run(run())
    assert Traces(three_seconds).of(user) == ["ready"]
    assert len(Traces(three_seconds).of_store(user)) == 1


def test_uploads_that_arrive_together_do_not_exceed_the_bytes(three_seconds: Services) -> None:
    async def run() -> UserId:
        user = await new_user(three_seconds)
        assert await outcomes(three_seconds, user, *[SECOND] * 6) == ["QuotaExceeded"] * 3 + ["Recording"] * 3
        return user

    user = asyncio.run(run())
    assert Traces(three_seconds).of(user) == ["ready"] * 3
    assert len(Traces(three_seconds).of_store(user)) == 3


class HeldAtCommit:
    """A database whose n-th transaction waits before its commit until the gate is open."""

    def __init__(self, inner: Database, gate: Gate, *, number: int) -> None:
        self._inner = inner
        self._hold = OnCall(number, gate)

    @contextmanager
    def begin(self, *, one_statement: bool = False) -> Iterator[Session]:
        with self._inner.begin(one_statement=one_statement) as db:
            yield db
            self._hold()

    def read(self) -> AbstractContextManager[Session]:
        return self._inner.read()


def waits_for_a_lock(services: Services) -> bool:
    with services.sweep.database.read() as db:
        found = db.connection().exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return found.scalar_one() > 0


def test_of_two_that_are_acknowledged_together_the_second_sees_the_first(
    three_seconds: Services,
) -> None:
    gate = Gate()
    streamed = wav(seconds=2, data_size=0xFFFFFFFF)

    async def run() -> UserId:
        user = await new_user(three_seconds)
        # transactions: 1 the pending row, 2 the acknowledgement
        held = HeldAtCommit(three_seconds.add_recording.database, gate, number=2)
        first = asyncio.create_task(
            replace(three_seconds.add_recording, database=held)(user, blocks(streamed))
        )
        await asyncio.to_thread(gate.reached.wait)
        second = asyncio.create_task(three_seconds.add_recording(user, blocks(streamed)))
        await asyncio.to_thread(wait_until, lambda: second.done() or waits_for_a_lock(three_seconds))
        gate.open()
        await first
        with pytest.raises(QuotaExceeded):
            await second
        return user

    assert Traces(three_seconds).of(asyncio.run(run())) == ["ready"]


@pytest.fixture
def kept_for_a_week(
    settings: Settings, own_database: DatabaseSettings, store: FaultyStore
) -> Iterator[Services]:
    update = {"database": own_database, "retention_days": 7}
    with open_services(settings.model_copy(update=update), store=store) as services:
        with services.sweep.database.begin() as db:
            db.connection().exec_driver_sql("DELETE FROM recordings; DELETE FROM users")
        yield services


def age(services: Services, user: UserId, days: int) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(
            f"UPDATE recordings SET ready_at = ready_at - interval '{days} days' WHERE user_id = {user}"
        )


def test_sweep_removes_what_was_kept_for_longer_than_the_retention(kept_for_a_week: Services) -> None:
    old, _ = add(kept_for_a_week, wav(seconds=0.1))
    recent, _ = add(kept_for_a_week, wav(seconds=0.1))
    age(kept_for_a_week, old, 8)
    age(kept_for_a_week, recent, 6)

    swept = kept_for_a_week.sweep()

    assert (swept.expired, swept.removed) == (1, 1)
    assert (Traces(kept_for_a_week).of(old), Traces(kept_for_a_week).of_store(old)) == ([], [])
    assert Traces(kept_for_a_week).of(recent) == ["ready"]
    assert len(Traces(kept_for_a_week).of_store(recent)) == 1


def test_more_than_one_batch_expires_in_one_sweep(kept_for_a_week: Services) -> None:
    user, recording = add(kept_for_a_week, wav(seconds=0.1))
    with kept_for_a_week.sweep.database.begin() as db:
        columns = ", ".join(c for c in _columns(kept_for_a_week) if c not in ("id", "object_key"))
        db.connection().exec_driver_sql(
            f"INSERT INTO recordings (id, object_key, {columns}) SELECT gen_random_uuid(), object_key || n, {columns}"
            f" FROM recordings, generate_series(1, 249) n WHERE id = '{recording.id}'"
        )
    age(kept_for_a_week, user, 8)

    assert kept_for_a_week.sweep().expired == 250


def _columns(services: Services) -> list[str]:
    with services.sweep.database.read() as db:
        return list(
            db.connection()
            .exec_driver_sql(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'recordings'"
            )
            .scalars()
        )


def test_without_a_retention_nothing_expires(services: Services) -> None:
    user, _ = add(services, wav(seconds=0.1))
    age(services, user, 100_000)

    assert services.sweep().expired == 0
    assert Traces(services).of(user) == ["ready"]
