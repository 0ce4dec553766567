"""Reads what an object store contains."""

from pigwav.domain import ObjectKey
from pigwav.store.base import ObjectStore


def stored_bytes(store: ObjectStore, key: ObjectKey) -> bytes:
    stored = store.stat(key)
    assert stored

    return b"".join(store.read_blocking(key, 0, stored.size_bytes))
