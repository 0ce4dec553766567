"""What the store really holds: an object's bytes, read through in blocks and hashed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from hashlib import sha256

from pigwav.domain import ObjectKey
from pigwav.store.base import ObjectStore


async def _at_once(size_bytes: int) -> None:
    """No pause at all."""


def sha256_of(
    store: ObjectStore,
    key: ObjectKey,
    size_bytes: int,
    *,
    pace: Callable[[int], Awaitable[None]] = _at_once,
) -> bytes:
    """Of the object's first `size_bytes`, in constant memory. Blocking; `pace` waits after each block of so many bytes.

    Raises ObjectMissing, StoreUnavailable.
    """

    async def read() -> bytes:
        digest = sha256()
        async with aclosing(store.read(key, 0, size_bytes)) as blocks:
            async for block in blocks:
                digest.update(block)
                await pace(len(block))
        return digest.digest()

    return asyncio.run(read()) if size_bytes else sha256().digest()
