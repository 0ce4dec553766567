"""Readiness reads a byte back, and writes almost never."""

from collections.abc import Generator

import pytest

from fakes.faulty_store import FaultyStore, unavailable
from pigwav.domain import ObjectKey
from pigwav.errors import StorageFull, StoreUnavailable
from pigwav.store.memory import MemoryStore
from pigwav.usecases.check_ready import PROBE, StoreProbe


def full() -> None:
    raise StorageFull


class Forgetful(MemoryStore):
    """A server whose reads find nothing, as if another one were asked."""

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        return MemoryStore().read_blocking(key, start, stop)


def test_the_first_check_stores_one_byte_and_every_check_reads_it(store: FaultyStore) -> None:
    ready = StoreProbe(store)

    for _ in range(3):
        ready()
    StoreProbe(store)()

    assert store.asked == ["check", "read", "put", "read"] + ["check", "read"] * 3
    assert store.stat(PROBE).size_bytes == 1


@pytest.mark.parametrize("operation", ["check", "read", "put"])
def test_each_of_its_calls_must_succeed(store: FaultyStore, operation: str) -> None:
    ready = StoreProbe(store)
    store.before[operation] = unavailable
    with pytest.raises(StoreUnavailable):
        ready()

    store.before.clear()
    ready()


def test_a_store_that_returns_nothing_is_not_ready_and_is_not_filled() -> None:
    store = FaultyStore(Forgetful())
    ready = StoreProbe(store)

    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            ready()

    assert store.asked.count("put") == 1


def test_a_probe_that_was_deleted_is_written_again_later(store: FaultyStore) -> None:
    ready = StoreProbe(store, between_writes_s=0)
    for _ in range(2):
        ready()
        store.delete(PROBE)

    assert store.asked.count("put") == 2


def test_a_full_store_is_ready_since_its_recordings_can_be_read(store: FaultyStore) -> None:
    store.before["put"] = full

    StoreProbe(store)()
