"""Reads an object in blocks and hashes it."""

import hashlib
import os

import pytest

from fakes.faulty_store import FaultyStore, unavailable
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import ObjectHeaders
from pigwav.store.memory import READ_BLOCK_BYTES, MemoryStore
from pigwav.store.read_back import read_back, sha256_of

KEY = ObjectKey("recordings/1/a.mp3")
BODY = os.urandom(3 * READ_BLOCK_BYTES + 1)


@pytest.fixture
def store() -> FaultyStore:
    store = MemoryStore()
    store.put(KEY, BODY, ObjectHeaders())
    return FaultyStore(store)


@pytest.mark.parametrize("size_bytes", [0, 1, READ_BLOCK_BYTES, len(BODY)])
def test_the_hash_is_that_of_the_first_bytes(store: FaultyStore, size_bytes: int) -> None:
    assert sha256_of(store, KEY, size_bytes) == hashlib.sha256(BODY[:size_bytes]).digest()


def test_every_block_is_handed_to_each_taker_in_order(store: FaultyStore) -> None:
    one, two = bytearray(), bytearray()
    read_back(store, KEY, 5, len(BODY), one.extend, two.extend)
    assert bytes(one) == bytes(two) == BODY[5:]


def test_no_bytes_are_asked_of_the_store_as_none(store: FaultyStore) -> None:
    """S3 has no empty range."""
    read_back(store, KEY, 7, 7, pytest.fail)
    assert store.asked == []


def test_a_taker_that_fails_ends_the_read(store: FaultyStore) -> None:
    taken: list[bytes] = []

    def take(block: bytes) -> None:
        taken.append(block)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        sha256_of(store, KEY, len(BODY), take)
    assert len(taken) == 1


def test_an_object_that_is_not_there_or_cannot_be_read_is_told(store: FaultyStore) -> None:
    with pytest.raises(ObjectMissing):
        sha256_of(store, ObjectKey("recordings/1/never.mp3"), 1)
    store.after["read"] = unavailable
    with pytest.raises(StoreUnavailable):
        sha256_of(store, KEY, len(BODY))
