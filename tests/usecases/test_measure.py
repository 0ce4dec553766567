"""`measure` gives older recordings what an upload gets, and never what is not theirs."""

import asyncio
from itertools import islice

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, Hook, OnCall, unavailable
from pigwav.domain import Levels, MeasuredFrom, ObjectKey, Recording
from pigwav.errors import StoreUnavailable
from pigwav.store.base import ObjectHeaders
from pigwav.usecases.measure import Outcome
from pigwav.wiring import Services
from stored_objects import stored_bytes
from uploading import add

PLAIN = ObjectHeaders()


def older(services: Services, count: int = 1) -> list[Recording]:
    """Recordings as a release without levels has left them, in the order in which they are measured."""
    added = [add(services, wav(seconds=0.5))[1] for _ in range(count)]
    run_sql(services, "UPDATE recordings SET levels = NULL, warnings = NULL, peak_dbfs = NULL")
    run_sql(services, "DELETE FROM waveforms")
    return sorted(added, key=lambda one: one.id)


def run_sql(services: Services, statement: str) -> None:
    with services.sweep.database.begin() as db:
        db.connection().exec_driver_sql(statement)


def outcomes(services: Services) -> dict[ObjectKey, Outcome]:
    return {one.key: one.outcome for one in services.measure()}


def levels(services: Services, recording: Recording) -> Levels | None:
    found = asyncio.run(services.find_recording(recording.id, recording.user_id))
    return found.facts.audio.levels


def test_an_older_recording_gets_levels_and_a_waveform(services: Services) -> None:
    [recording] = older(services)
    before = recording.facts.audio
    assert before.levels is not None

    assert outcomes(services) == {recording.object_key: Outcome.MEASURED}

    found, waveform = asyncio.run(services.read_waveform(recording.id, recording.user_id))
    after = found.facts.audio
    assert after.levels is not None
    assert after.levels.measured_from is MeasuredFrom.MP3
    assert after.levels.loudness_lufs == pytest.approx(before.levels.loudness_lufs, abs=0.2)
    assert after.peak_dbfs == pytest.approx(before.peak_dbfs, abs=0.3)
    assert after.warnings is None
    assert len(waveform.pairs) == 25, "0.5 s in pieces of 20 ms"


def test_a_recording_is_measured_once(services: Services, store: FaultyStore) -> None:
    older(services, 2)
    add(services, wav(seconds=0.5))

    assert [*outcomes(services).values()] == [Outcome.MEASURED] * 2
    store.asked.clear()
    assert outcomes(services) == {}

    assert store.asked == []


def test_it_goes_on_where_it_was_stopped(services: Services) -> None:
    recordings = older(services, 3)

    first = [one.key for one in islice(services.measure(), 2)]

    assert first == [one.object_key for one in recordings[:2]]
    assert outcomes(services) == {recordings[2].object_key: Outcome.MEASURED}


def test_only_what_is_missing_is_added(services: Services) -> None:
    [recording] = older(services)
    [*services.measure()]
    run_sql(services, """UPDATE recordings SET levels = levels || '{"measured_from": "wav"}'""")
    run_sql(services, "DELETE FROM waveforms")

    assert outcomes(services) == {recording.object_key: Outcome.MEASURED}

    found = levels(services, recording)
    assert found is not None
    assert found.measured_from is MeasuredFrom.WAV, "levels of the WAV are better and stay"
    asyncio.run(services.read_waveform(recording.id, recording.user_id))


@pytest.mark.parametrize(
    ("damage", "outcome"),
    [
        ("gone", Outcome.MISSING),
        ("cut", Outcome.DAMAGED),
        ("rot", Outcome.DAMAGED),
        ("zeros", Outcome.UNDECODABLE),
    ],
)
def test_a_recording_that_cannot_be_measured_is_named_and_the_others_are_measured(
    services: Services, store: FaultyStore, damage: str, outcome: Outcome
) -> None:
    bad, good = older(services, 2)
    whole = stored_bytes(store, bad.object_key)
    if damage == "gone":
        store.delete(bad.object_key)
    else:
        rotten = whole[:-1] + bytes([whole[-1] ^ 1])
        body = {"cut": whole[:-1], "rot": rotten, "zeros": bytes(len(whole))}[damage]
        store.put(bad.object_key, body, PLAIN)

    assert outcomes(services) == {bad.object_key: outcome, good.object_key: Outcome.MEASURED}

    assert levels(services, bad) is None
    assert outcomes(services) == {bad.object_key: outcome}, "it is reported until it is repaired"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_recording_that_is_deleted_meanwhile_stays_deleted(
    services: Services, store: FaultyStore, when: str
) -> None:
    [recording] = older(services)

    def delete() -> None:
        run_sql(services, "UPDATE recordings SET state = 'deleted'")
        store.delete(recording.object_key)

    hooks: dict[str, Hook] = store.before if when == "before" else store.after
    hooks["stat" if when == "before" else "read"] = OnCall(1, delete)

    assert outcomes(services) == {recording.object_key: Outcome.GONE}

    with services.sweep.database.begin() as db:
        query = "SELECT state, levels, (SELECT count(*) FROM waveforms) FROM recordings"
        assert [*db.connection().exec_driver_sql(query)] == [("deleted", None, 0)]


def test_a_store_that_does_not_answer_ends_the_run_and_keeps_what_was_measured(
    services: Services, store: FaultyStore
) -> None:
    first, second = older(services, 2)
    run = services.measure()
    assert next(run).key == first.object_key
    store.before |= {"read": unavailable, "check": unavailable}

    with pytest.raises(StoreUnavailable):
        next(run)

    store.before.clear()
    assert outcomes(services) == {second.object_key: Outcome.MEASURED}


def test_an_object_that_the_store_does_not_give_is_left_for_the_next_run(
    services: Services, store: FaultyStore
) -> None:
    first, second = older(services, 2)
    store.before["read"] = OnCall(1, unavailable)

    assert outcomes(services) == {first.object_key: Outcome.UNREADABLE, second.object_key: Outcome.MEASURED}
    assert outcomes(services) == {first.object_key: Outcome.MEASURED}


def test_two_runs_at_the_same_time_are_harmless(services: Services) -> None:
    recordings = older(services, 3)

    together = [one for pair in zip(services.measure(), services.measure(), strict=False) for one in pair]

    assert {one.outcome for one in together} == {Outcome.MEASURED}
    assert all(levels(services, one) for one in recordings)


def test_an_s3_server_s_recordings_are_measured(on_s3: Services) -> None:
    recordings = older(on_s3, 2)

    assert outcomes(on_s3) == {one.object_key: Outcome.MEASURED for one in recordings}
