"""`scrub` reads every recording back, the least recently read first; it finds damage and changes nothing."""

import asyncio
from dataclasses import replace
from itertools import islice

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, Hook, OnCall, unavailable
from pigwav.domain import ObjectKey, Recording
from pigwav.errors import StoreUnavailable
from pigwav.store.base import ObjectHeaders, ObjectStore
from pigwav.usecases.scrub import Condition, Pace
from pigwav.wiring import Services
from stored_objects import stored_bytes
from uploading import add, fails

PLAIN = ObjectHeaders()
GOOD, DAMAGED, UNREADABLE, GONE = Condition


def recordings(services: Services, count: int) -> list[Recording]:
    return [add(services, wav(seconds=0.1))[1] for _ in range(count)]


def rot(store: ObjectStore, key: ObjectKey) -> None:
    """Flips one bit of the object."""
    body = bytearray(stored_bytes(store, key))
    body[-1] ^= 1
    store.put(key, bytes(body), PLAIN)


def conditions(services: Services) -> dict[ObjectKey, Condition]:
    return {one.key: one.condition for one in services.scrub()}


def never_scrubbed(services: Services) -> set[ObjectKey]:
    with services.sweep.database.read() as db:
        rows = db.connection().exec_driver_sql("SELECT object_key FROM recordings WHERE scrubbed_at IS NULL")
        return {ObjectKey(key) for (key,) in rows}


class TestWhatItFinds:
    def test_good_recordings_are_each_read_once(self, services: Services, store: FaultyStore) -> None:
        expected = {one.object_key: one.facts.size_bytes for one in recordings(services, 3)}
        store.asked.clear()

        looked_at = [*services.scrub()]

        assert {one.key: one.size_bytes for one in looked_at} == expected
        assert [one.condition for one in looked_at] == [GOOD] * 3
        assert store.asked.count("read") >= 3
        assert never_scrubbed(services) == set()

    @pytest.mark.parametrize("damage", ["rot", "cut", "longer", "gone"])
    def test_what_is_not_as_it_was_acknowledged_is_named_and_left_as_it_is(
        self, services: Services, store: FaultyStore, damage: str
    ) -> None:
        bad, good = (one.object_key for one in recordings(services, 2))
        if damage == "rot":
            rot(store, bad)
        elif damage == "gone":
            store.delete(bad)
        else:
            whole = stored_bytes(store, bad)
            store.put(bad, whole + b"x" if damage == "longer" else whole[:-1], PLAIN)
        before = store.stat(bad)

        assert conditions(services) == {bad: DAMAGED, good: GOOD}

        assert store.stat(bad) == before
        assert never_scrubbed(services) == {bad}
        assert conditions(services)[bad] is DAMAGED, "it is reported until it is repaired"

    def test_a_recording_that_was_put_back_is_good_again(
        self, services: Services, store: FaultyStore
    ) -> None:
        [recording] = recordings(services, 1)
        key = recording.object_key
        rot(store, key)
        assert conditions(services) == {key: DAMAGED}
        rot(store, key)

        assert conditions(services) == {key: GOOD}

    def test_an_object_that_the_store_does_not_give_does_not_keep_the_others(
        self, services: Services, store: FaultyStore
    ) -> None:
        recordings(services, 3)
        store.before["read"] = FirstCalls(2, unavailable)

        found = sorted(conditions(services).values())

        assert found == [GOOD, GOOD, UNREADABLE]

    def test_what_fails_once_is_looked_at_again(self, services: Services, store: FaultyStore) -> None:
        recordings(services, 2)
        store.before["read"] = OnCall(1, unavailable)

        assert {*conditions(services).values()} == {GOOD}

    def test_a_recording_that_is_deleted_meanwhile_is_no_damage(
        self, services: Services, store: FaultyStore
    ) -> None:
        _, recording = add(services, wav(seconds=0.1))

        def delete() -> None:
            with services.sweep.database.begin() as db:
                db.connection().exec_driver_sql("UPDATE recordings SET state = 'deleted'")
            store.delete(recording.object_key)

        store.before["stat"] = OnCall(1, delete)

        assert conditions(services) == {recording.object_key: GONE}

    def test_pending_and_deleted_recordings_are_not_looked_at(
        self, services: Services, store: FaultyStore
    ) -> None:
        user, recording = add(services, wav(seconds=0.1))
        asyncio.run(services.delete_recording(recording.id, user))
        store.after["put"] = store.before["delete"] = unavailable
        fails(services, wav(seconds=0.1), StoreUnavailable)
        store.after.clear()

        assert conditions(services) == {}


class FirstCalls:
    """A hook that calls `hook` only on its first calls."""

    def __init__(self, number: int, hook: Hook) -> None:
        self._to_go = number
        self._hook = hook

    def __call__(self) -> None:
        if self._to_go:
            self._to_go -= 1
            self._hook()


class TestInPieces:
    def test_it_goes_on_where_it_was_stopped(self, services: Services) -> None:
        keys = {one.object_key for one in recordings(services, 5)}

        first = [one.key for one in islice(services.scrub(), 2)]
        second = [one.key for one in islice(services.scrub(), 2)]
        third = [one.key for one in islice(services.scrub(), 2)]

        assert len({*first, *second}) == 4
        assert {*first, *second, *third} == keys
        assert third[1] == first[0], "the least recently scrubbed one comes next"

    def test_one_that_arrived_since_comes_before_all_that_were_read(self, services: Services) -> None:
        recordings(services, 2)
        [*services.scrub()]
        [new] = recordings(services, 1)

        assert next(services.scrub()).key == new.object_key

    def test_damaged_ones_do_not_keep_the_rest_from_being_read(
        self, services: Services, store: FaultyStore
    ) -> None:
        all_of_them = [one.object_key for one in recordings(services, 4)]
        conditions(services)
        for key in all_of_them[:2]:
            rot(store, key)
        all_of_them += [one.object_key for one in recordings(services, 2)]
        store.delete(all_of_them[4])

        found = conditions(services)

        assert set(found) == {*all_of_them}
        assert [key for key in all_of_them if found[key] is DAMAGED] == [*all_of_them[:2], all_of_them[4]]

    def test_where_the_store_goes_away_what_was_done_is_kept(
        self, services: Services, store: FaultyStore
    ) -> None:
        keys = {one.object_key for one in recordings(services, 3)}
        scrub = services.scrub()
        done = next(scrub).key
        store.before |= {"read": unavailable, "check": unavailable}

        with pytest.raises(StoreUnavailable):
            next(scrub)

        assert never_scrubbed(services) == keys - {done}

    def test_two_at_the_same_time_are_harmless(self, services: Services) -> None:
        keys = {one.object_key for one in recordings(services, 3)}
        together = [*zip(services.scrub(), services.scrub(), strict=False)]

        assert {one.key for pair in together for one in pair} == keys
        assert {one.condition for pair in together for one in pair} == {GOOD}

    def test_no_object_is_begun_after_the_time_is_over(self, services: Services) -> None:
        recordings(services, 4)
        clock = Clock()
        scrub = replace(services.scrub, clock=clock)(for_s=10)

        looked_at = []
        for one in scrub:
            looked_at.append(one)
            clock.now_s += 4

        assert len(looked_at) == 3


class Clock:
    """A simulated clock that `sleep` advances."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class TestPace:
    def test_reading_takes_as_long_as_the_rate_says(self, services: Services) -> None:
        size_bytes = sum(one.facts.size_bytes for one in recordings(services, 3))
        clock = Clock()
        scrub = replace(services.scrub, clock=clock, sleep=clock.sleep)

        assert len([*scrub(bytes_per_s=1000)]) == 3

        assert clock.now_s - 1000 == pytest.approx(size_bytes / 1000)

    def test_the_bucket_makes_wait_for_what_was_not_earned_yet(self) -> None:
        clock = Clock()
        pace = Pace(100, clock)
        assert pace.take(50) == pytest.approx(0.5)
        clock.now_s += 0.5
        assert pace.take(50) == pytest.approx(0.5)
        clock.now_s += 0.2
        assert pace.take(0) == pytest.approx(0.3)

    def test_time_that_was_not_used_counts_for_a_second_at_most(self) -> None:
        clock = Clock()
        pace = Pace(100, clock)
        clock.now_s += 3600
        assert pace.take(100) == 0
        assert pace.take(1) == pytest.approx(0.01)

    def test_over_any_time_the_rate_is_kept(self) -> None:
        clock = Clock()
        pace = Pace(1000, clock)
        for size_bytes in (1, 999, 5000, 0, 70, 930):
            clock.now_s += 0.001  # time in the store
            clock.now_s += pace.take(size_bytes)
        assert clock.now_s - 1000 == pytest.approx(7.0, abs=0.01)


def test_an_s3_server_is_read_back(on_s3: Services) -> None:
    keys = [one.object_key for one in recordings(on_s3, 3)]
    rot(on_s3.scrub.store, keys[1])

    found = conditions(on_s3)

    assert [found[key] for key in keys] == [GOOD, DAMAGED, GOOD]
