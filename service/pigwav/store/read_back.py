"""Reads an object back in blocks, to check what the store holds. Blocking, in constant memory."""

from collections.abc import Callable
from contextlib import closing
from hashlib import sha256

from pigwav.domain import ObjectKey
from pigwav.store.base import Reader


def read_back(
    store: Reader, key: ObjectKey, start: int, stop: int, *on_block: Callable[[bytes], object]
) -> None:
    """Passes every block of the bytes [start, stop) to each of `on_block`. Raises ObjectMissing, StoreUnavailable."""
    if start < stop:
        with closing(store.read_blocking(key, start, stop)) as blocks:
            for block in blocks:
                for take in on_block:
                    take(block)


def sha256_of(store: Reader, key: ObjectKey, size_bytes: int, *on_block: Callable[[bytes], object]) -> bytes:
    """The SHA-256 of the object's first `size_bytes`. Raises ObjectMissing, StoreUnavailable."""
    digest = sha256()
    read_back(store, key, 0, size_bytes, digest.update, *on_block)
    return digest.digest()
