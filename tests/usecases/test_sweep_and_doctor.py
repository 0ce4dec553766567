"""sweep removes failed uploads, doctor finds disagreements, and live uploads are not touched."""

import asyncio
from uuid import uuid4

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, Gate, OnCall, unavailable
from pigwav.domain import ObjectKey
from pigwav.errors import StoreUnavailable
from pigwav.store.base import ObjectHeaders
from pigwav.wiring import Services
from traces import Traces
from uploading import add, blocks, fails, new_user


def let_leases_expire(services: Services) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(
            "UPDATE recordings SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"
        )


def test_sweep_removes_the_bytes_of_deleted_recordings_and_then_the_row(services: Services) -> None:
    user, recording = add(services, wav(seconds=1))
    asyncio.run(services.delete_recording(recording.id, user))

    swept = services.sweep()

    assert (swept.ran, swept.aborted_uploads, swept.removed) == (True, 0, 1)
    assert Traces(services).rows() == 0
    assert Traces(services).of_store(user) == []


def test_sweep_removes_what_a_deleted_user_owned(services: Services) -> None:
    user, _ = add(services, wav(seconds=1))
    asyncio.run(services.delete_user(user))

    services.sweep()

    assert Traces(services).rows() == 0
    assert Traces(services).of_store(user) == []


def test_sweep_cleans_up_after_an_upload_whose_lease_ran_out(services: Services, store: FaultyStore) -> None:
    store.after["put"] = store.before["delete"] = unavailable
    user = fails(services, wav(seconds=1), StoreUnavailable)
    assert Traces(services).of(user) == ["pending"]
    store.after.clear()
    store.before.clear()
    assert services.sweep().aborted_uploads == 0, "the lease has not expired"

    let_leases_expire(services)
    swept = services.sweep()

    assert (swept.aborted_uploads, swept.removed) == (1, 1)
    assert Traces(services).rows() == 0
    assert Traces(services).of_store(user) == []


def test_sweep_leaves_live_uploads_and_ready_recordings_alone(services: Services, store: FaultyStore) -> None:
    add(services, wav(seconds=1))
    gate = Gate()
    store.before["put"] = OnCall(1, gate)

    async def run() -> None:
        user = await new_user(services)
        upload = asyncio.create_task(services.add_recording(user, blocks(wav(seconds=1))))
        await asyncio.to_thread(gate.reached.wait)
        swept = await asyncio.to_thread(services.sweep)
        assert (swept.aborted_uploads, swept.removed) == (0, 0)
        assert services.check_agreement().agreed, "a live pending row is no disagreement"
        gate.open()
        await upload

    asyncio.run(run())
    assert services.check_agreement().checked == 2


def test_sweep_looks_again_where_a_call_to_the_store_may_take_effect_later(
    services: Services, store: FaultyStore
) -> None:
    store.before["put"] = unavailable
    user = fails(services, wav(seconds=1), StoreUnavailable)
    with services.sweep.database.read() as db:
        key = db.connection().exec_driver_sql("SELECT object_key FROM recordings").scalar_one()
    store.before.clear()
    store.put(key, b"landed after all", ObjectHeaders())

    assert services.sweep().removed == 0, "its bytes may still arrive"
    let_leases_expire(services)

    assert services.sweep().removed == 1
    assert Traces(services).rows() == 0
    assert Traces(services).of_store(user) == []


def test_one_object_that_cannot_be_removed_does_not_keep_the_others(
    services: Services, store: FaultyStore
) -> None:
    for _ in range(3):
        user, recording = add(services, wav(seconds=0.1))
        asyncio.run(services.delete_recording(recording.id, user))
    store.before["delete"] = OnCall(1, unavailable)

    assert services.sweep().removed == 2
    assert services.sweep().removed == 1


def test_a_row_that_a_frozen_process_holds_keeps_nobody_from_sweeping(
    services: Services, store: FaultyStore
) -> None:
    store.after["put"] = store.before["delete"] = unavailable
    fails(services, wav(seconds=1), StoreUnavailable)
    store.after.clear()
    store.before.clear()
    let_leases_expire(services)

    with services.sweep.database.begin() as frozen:
        frozen.connection().exec_driver_sql("SELECT 1 FROM recordings FOR UPDATE")
        assert services.sweep().aborted_uploads == 0

    assert services.sweep().aborted_uploads == 1


def test_no_upload_is_aborted_before_leases_are_steady(services: Services, store: FaultyStore) -> None:
    store.after["put"] = store.before["delete"] = unavailable
    fails(services, wav(seconds=1), StoreUnavailable)
    let_leases_expire(services)

    assert services.sweep(abort_expired=services.leases.is_stable).aborted_uploads == 0


def test_a_store_that_is_away_postpones_the_sweep_and_loses_nothing(
    services: Services, store: FaultyStore
) -> None:
    for _ in range(6):
        user, recording = add(services, wav(seconds=0.1))
        asyncio.run(services.delete_recording(recording.id, user))
    store.before["delete"] = unavailable
    with pytest.raises(StoreUnavailable):
        services.sweep()
    store.before.clear()

    assert services.sweep().removed == 6


def test_only_one_sweep_runs_at_a_time(services: Services, store: FaultyStore) -> None:
    user, recording = add(services, wav(seconds=1))
    asyncio.run(services.delete_recording(recording.id, user))
    gate = Gate()
    store.before["delete"] = gate

    async def run() -> None:
        first = asyncio.create_task(asyncio.to_thread(services.sweep))
        await asyncio.to_thread(gate.reached.wait)
        assert not services.sweep().ran
        gate.open()
        assert (await first).removed == 1

    asyncio.run(run())


def test_doctor_agrees_with_a_healthy_service(services: Services) -> None:
    for _ in range(3):
        add(services, wav(seconds=0.1))

    agreement = services.check_agreement()

    assert agreement.agreed
    assert agreement.checked == 3


def test_doctor_names_what_is_missing_orphaned_expired_and_open(
    services: Services, store: FaultyStore
) -> None:
    user, lost = add(services, wav(seconds=0.1))
    _, cut = add(services, wav(seconds=0.1))
    store.delete(lost.object_key)
    store.put(cut.object_key, b"x", ObjectHeaders())
    orphan = ObjectKey(f"recordings/{user}/2026/01/{uuid4()}.mp3")
    store.put(orphan, b"x", ObjectHeaders())
    stray = ObjectKey(f"recordings/{user}/2026/02/{uuid4()}.mp3")
    store.begin_multipart(stray, ObjectHeaders())
    store.before["put"] = store.before["delete"] = unavailable
    fails(services, wav(seconds=0.1), StoreUnavailable)
    let_leases_expire(services)

    agreement = services.check_agreement()

    assert not agreement.agreed
    assert set(agreement.missing) == {lost.object_key, cut.object_key}
    assert agreement.orphans == [orphan]
    assert agreement.open_uploads == [stray]
    assert len(agreement.pending) == 1


def test_a_deleted_recording_that_waits_for_sweep_is_no_disagreement(services: Services) -> None:
    user, recording = add(services, wav(seconds=0.1))
    asyncio.run(services.delete_recording(recording.id, user))

    assert services.check_agreement().agreed
