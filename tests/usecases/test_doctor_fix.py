"""`doctor --fix` moves unexplained objects to quarantine, deletes nothing, and does not touch live uploads."""

import asyncio
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, Gate, OnCall, unavailable
from pigwav.domain import ObjectKey, UserId
from pigwav.errors import StoreUnavailable
from pigwav.store.base import PART_BYTES, ObjectHeaders, ObjectStore, UploadId
from pigwav.usecases.quarantine import STRAY_AFTER, Quarantine
from pigwav.wiring import Services
from stored_objects import stored_bytes
from uploading import add, blocks, fails, new_user

PLAIN = ObjectHeaders()
HEADERS = ObjectHeaders(
    content_disposition='attachment; filename="a.mp3"', cache_control="private", metadata={"title": "a"}
)
BODY = os.urandom(300_000)
PART_1, PART_2 = os.urandom(PART_BYTES), os.urandom(1000)


@pytest.fixture
def healthy(services: Services) -> UserId:
    """A database and a bucket that agree."""
    user, _ = add(services, wav(seconds=0.1))
    return user


def an_orphan(user: UserId) -> ObjectKey:
    return ObjectKey(f"recordings/{user}/2026/01/{uuid4()}.mp3")


def in_quarantine(key: ObjectKey) -> ObjectKey:
    return ObjectKey(f"quarantine/{key}")


def a_day_later(services: Services) -> Quarantine:
    """A quarantine with a clock one STRAY_AFTER ahead, for which new stray uploads are old."""
    return replace(services.quarantine, now=lambda: datetime.now(UTC) + STRAY_AFTER)


def stray_upload(store: ObjectStore, key: ObjectKey, *bodies: tuple[int, bytes]) -> UploadId:
    upload = store.begin_multipart(key, HEADERS)
    for number, body in bodies:
        store.put_part(key, upload, number, body)
    return upload


class TestOrphans:
    def test_it_is_moved_whole_and_then_all_agrees(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        store.put(key, BODY, HEADERS)

        fixed = services.quarantine()

        assert fixed.moved == {key: in_quarantine(key)}
        assert fixed.left.agreed
        assert fixed.left.quarantined == 1
        assert store.stat(key) is None
        assert stored_bytes(store, in_quarantine(key)) == BODY

    @pytest.mark.usefixtures("healthy")
    def test_a_store_that_agrees_is_only_looked_at(self, services: Services, store: FaultyStore) -> None:
        store.asked.clear()

        fixed = services.quarantine()

        assert (fixed.left.agreed, fixed.moved, fixed.kept) == (True, {}, {})
        assert "copy" not in store.asked
        assert "delete" not in store.asked

    @pytest.mark.parametrize(
        ("step", "when"),
        [
            ("copy", "before"),
            ("copy", "after"),
            ("read", "before"),
            ("delete", "before"),
            ("delete", "after"),
        ],
    )
    def test_it_may_die_at_any_step_and_be_repeated(
        self, services: Services, store: FaultyStore, healthy: UserId, step: str, when: str
    ) -> None:
        key = an_orphan(healthy)
        store.put(key, BODY, PLAIN)
        getattr(store, when)[step] = die
        with pytest.raises(Died):
            services.quarantine()
        copies = [found for found in (key, in_quarantine(key)) if store.stat(found)]
        assert copies, "the object is lost"
        getattr(store, when).clear()

        fixed = services.quarantine()

        assert fixed.left.agreed
        assert stored_bytes(store, in_quarantine(key)) == BODY
        assert [found.key for found in store.list("quarantine/")] == [in_quarantine(key)]

    def test_a_copy_that_was_interrupted_in_its_parts_leaves_none(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        store.put(key, BODY, PLAIN)
        stray_upload(store, in_quarantine(key), (1, PART_2))

        assert services.quarantine().left.agreed

        assert [*store.open_uploads()] == []

    def test_a_copy_with_other_bytes_does_not_cost_the_original(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        store.put(key, BODY, PLAIN)
        store.after["copy"] = lambda: store.put(in_quarantine(key), BODY[::-1], PLAIN)

        fixed = services.quarantine()

        assert fixed.moved == {}
        assert "other bytes" in fixed.kept[key]
        assert fixed.left.orphans == [key]
        assert stored_bytes(store, key) == BODY

    def test_what_lies_in_the_quarantine_is_never_replaced(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        bodies = [BODY, BODY[::-1], BODY[1:], BODY]
        for body in bodies:
            store.put(key, body, PLAIN)
            assert services.quarantine().left.agreed

        kept = [stored_bytes(store, found.key) for found in store.list("quarantine/")]
        assert sorted(kept) == sorted({*bodies})
        assert stored_bytes(store, in_quarantine(key)) == BODY

    def test_an_empty_one_is_moved_too(self, services: Services, store: FaultyStore, healthy: UserId) -> None:
        key = an_orphan(healthy)
        store.put(key, b"", PLAIN)

        assert services.quarantine().left.agreed

        assert store.stat(in_quarantine(key)).size_bytes == 0

    def test_one_that_cannot_be_moved_does_not_keep_the_others(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        keys = sorted(an_orphan(healthy) for _ in range(3))
        for key in keys:
            store.put(key, BODY, PLAIN)
        store.before["delete"] = OnCall(2, unavailable)

        fixed = services.quarantine()

        assert [*fixed.moved] == [keys[0], keys[2]]
        assert [*fixed.kept] == fixed.left.orphans == [keys[1]]

    def test_where_the_store_goes_away_what_was_moved_is_told(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        keys = sorted(an_orphan(healthy) for _ in range(3))
        for key in keys:
            store.put(key, BODY, PLAIN)
        store.before |= {"copy": OnCall(2, unavailable), "check": unavailable}

        fixed = services.quarantine()

        assert fixed.broken_off
        assert [*fixed.moved] == keys[:1]
        assert [bool(store.stat(key)) for key in keys] == [False, True, True]

    @pytest.mark.usefixtures("healthy")
    def test_one_that_gets_a_row_meanwhile_is_left_alone(
        self, services: Services, store: FaultyStore
    ) -> None:
        """Happens if rows are restored from a dump."""
        _, recording = add(services, wav(seconds=0.1))
        set_key(services, recording.object_key, ObjectKey("elsewhere"))
        store.after["copy"] = lambda: set_key(services, ObjectKey("elsewhere"), recording.object_key)

        fixed = services.quarantine()

        assert fixed.moved == {}
        assert store.stat(recording.object_key)
        assert recording.object_key not in fixed.left.orphans

    def test_a_bucket_of_which_the_database_knows_no_object_is_not_touched(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        """A wrong PIGWAV_DATABASE_URL must not empty a bucket."""
        [own] = [found.key for found in store.list("recordings/")]
        theirs = an_orphan(healthy)
        store.put(theirs, BODY, PLAIN)
        store.delete(own)

        fixed = services.quarantine()

        assert fixed.moved == {}
        assert "check that both are the right ones" in fixed.kept[theirs]
        assert fixed.left.orphans == [theirs]
        assert stored_bytes(store, theirs) == BODY


class Died(BaseException):
    """Simulates the death of the process: no code catches it."""


def die() -> None:
    raise Died


def set_key(services: Services, old: ObjectKey, new: ObjectKey) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(
            "UPDATE recordings SET object_key = %s WHERE object_key = %s", (new, old)
        )


class TestWhatLives:
    def test_a_live_upload_of_any_age_is_left_alone(self, services: Services, store: FaultyStore) -> None:
        add(services, wav(seconds=0.1))
        gate = Gate()
        store.before["complete_multipart"] = OnCall(1, gate)

        async def run() -> None:
            user = await new_user(services)
            upload = asyncio.create_task(
                services.add_recording(user, blocks(wav(seconds=135)), bitrate_kbps=320)
            )
            await asyncio.to_thread(gate.reached.wait)
            store.put(an_orphan(user), BODY, PLAIN)
            fixed = await asyncio.to_thread(a_day_later(services))
            assert (len(fixed.moved), fixed.aborted, fixed.kept) == (1, [], {})
            gate.open()
            await upload

        asyncio.run(run())
        assert services.check_agreement().agreed

    @pytest.mark.usefixtures("healthy")
    def test_a_ready_row_without_its_object_stays_wrong_and_nothing_is_changed(
        self, services: Services, store: FaultyStore
    ) -> None:
        _, lost = add(services, wav(seconds=0.1))
        _, cut = add(services, wav(seconds=0.1))
        store.delete(lost.object_key)
        store.put(cut.object_key, b"x", PLAIN)

        fixed = services.quarantine()

        assert set(fixed.left.missing) == {lost.object_key, cut.object_key}
        assert (fixed.moved, fixed.kept) == ({}, {})
        assert stored_bytes(store, cut.object_key) == b"x"

    @pytest.mark.usefixtures("healthy")
    def test_an_upload_whose_process_vanished_is_left_to_the_sweep(
        self, services: Services, store: FaultyStore
    ) -> None:
        store.after["put"] = store.before["delete"] = unavailable
        fails(services, wav(seconds=0.1), StoreUnavailable)
        store.after.clear()
        store.before.clear()
        with services.sweep.database.begin() as db:
            db.connection().exec_driver_sql("UPDATE recordings SET lease_until = now() - interval '1 s'")

        fixed = services.quarantine()

        assert (len(fixed.left.pending), fixed.moved) == (1, {})
        assert services.sweep().removed == 1
        assert services.check_agreement().agreed


class TestStrayUploads:
    def test_one_without_a_part_is_aborted(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        stray_upload(store, key)

        fixed = a_day_later(services)()

        assert fixed.aborted == [key]
        assert fixed.left.agreed
        assert [*store.open_uploads()] == []
        assert [*store.list("quarantine/")] == []

    def test_the_parts_of_one_are_put_aside_as_an_object(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        stray_upload(store, key, (3, PART_2), (2, PART_1))

        fixed = a_day_later(services)()

        assert fixed.moved == {key: in_quarantine(key)}
        assert fixed.left.agreed
        assert stored_bytes(store, in_quarantine(key)) == PART_1 + PART_2

    def test_it_may_die_between_completion_and_move(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        stray_upload(store, key, (2, PART_2))
        store.after["complete_multipart"] = die
        with pytest.raises(Died):
            a_day_later(services)()
        store.after.clear()

        assert services.quarantine().left.agreed

        assert stored_bytes(store, in_quarantine(key)) == PART_2

    def test_several_of_one_key_and_its_object_are_all_put_aside(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        store.put(key, BODY, PLAIN)
        for body in (PART_1, PART_2):
            stray_upload(store, key, (1, body))

        assert a_day_later(services)().left.agreed

        kept = [stored_bytes(store, found.key) for found in store.list("quarantine/")]
        assert sorted(kept) == sorted([BODY, PART_1, PART_2])

    @pytest.mark.parametrize("parts", [(), ((1, PART_2),)], ids=["no part", "a part"])
    def test_a_young_one_is_left_alone(
        self,
        services: Services,
        store: FaultyStore,
        healthy: UserId,
        parts: tuple[tuple[int, bytes], ...],
    ) -> None:
        key = an_orphan(healthy)
        upload = stray_upload(store, key, *parts)
        almost = datetime.now(UTC) + STRAY_AFTER - timedelta(minutes=10)

        fixed = replace(services.quarantine, now=lambda: almost)()

        assert "24 hours" in fixed.kept[key]
        assert fixed.left.open_uploads == [key]
        assert [found.upload_id for found in store.open_uploads(key)] == [upload]

    def test_parts_under_the_key_of_a_ready_recording_never_replace_its_object(
        self, services: Services, store: FaultyStore
    ) -> None:
        _, recording = add(services, wav(seconds=0.1))
        before = stored_bytes(store, recording.object_key)
        upload = stray_upload(store, recording.object_key, (1, PART_2))

        fixed = a_day_later(services)()

        assert "replace" in fixed.kept[recording.object_key]
        assert stored_bytes(store, recording.object_key) == before
        assert [found.upload_id for found in store.open_uploads()] == [upload]

    def test_parts_that_make_no_object_are_left_where_they_are(
        self, services: Services, store: FaultyStore, healthy: UserId
    ) -> None:
        key = an_orphan(healthy)
        stray_upload(store, key, (1, PART_2), (2, PART_2))

        fixed = a_day_later(services)()

        assert "EntityTooSmall" in fixed.kept[key]
        assert len(store.parts(key, next(store.open_uploads(key)).upload_id)) == 2


def test_two_doctors_at_the_same_time_do_the_work_of_one(
    services: Services, store: FaultyStore, healthy: UserId
) -> None:
    keys = [an_orphan(healthy) for _ in range(3)]
    for key in keys:
        store.put(key, BODY, PLAIN)
    gate = Gate()
    store.before["copy"] = OnCall(1, gate)
    fixed = []
    first = threading.Thread(target=lambda: fixed.append(services.quarantine()))
    first.start()
    assert gate.reached.wait(30)

    second = services.quarantine()
    gate.open()
    first.join()

    assert (second.ran, second.moved) == (False, {})
    assert set(fixed[0].moved) == set(keys)
    assert services.check_agreement().agreed


def test_an_s3_server_and_the_services_own_key_do_it_all(on_s3: Services) -> None:
    store = on_s3.quarantine.store
    user, _ = add(on_s3, wav(seconds=0.1))
    orphan, empty, parts = (an_orphan(user) for _ in range(3))
    store.put(orphan, BODY, HEADERS)
    stray_upload(store, empty)
    stray_upload(store, parts, (3, PART_2), (2, PART_1))

    fixed = a_day_later(on_s3)()

    assert fixed.left.agreed
    assert (fixed.aborted, fixed.kept) == ([empty], {})
    assert stored_bytes(store, in_quarantine(orphan)) == BODY
    assert stored_bytes(store, in_quarantine(parts)) == PART_1 + PART_2
    assert [*store.open_uploads()] == []
    assert on_s3.check_agreement() == fixed.left
