"""Finds a recording, and streams its MP3 from the store."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from pigwav.db import recordings
from pigwav.db.lookups import Lookups
from pigwav.db.session import Database
from pigwav.domain import ObjectKey, Recording, RecordingId, StoredMp3, UserId
from pigwav.errors import RecordingNotFound, StoreUnavailable
from pigwav.executors import BoundedExecutor
from pigwav.store.base import Reader

PAUSES_AFTER_S: Final = 1.0
"""The store's connection of a reader that takes no block for so long is closed."""

PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class FindRecording:
    """Finds a recording of exactly this user. The error does not reveal whether another user has a recording of this id
    or whether it ever existed.
    """

    database: Database
    db: BoundedExecutor

    async def __call__(self, recording: RecordingId, user: UserId) -> Recording:
        """Raises RecordingNotFound."""
        return await self.db(self._find, recording, user)

    def _find(self, recording: RecordingId, user: UserId) -> Recording:
        with self.database.read() as db:
            found = recordings.find(db, recording, user)
        if found is None:
            raise RecordingNotFound
        return found


@dataclass(frozen=True)
class FindMp3:
    """The same for a link, on the event loop: it waits for no thread, and reads a few columns."""

    lookups: Lookups

    async def __call__(self, recording: RecordingId, user: UserId) -> StoredMp3:
        """Raises RecordingNotFound."""
        found = await recordings.find_mp3(self.lookups, recording, user)
        if found is None:
            raise RecordingNotFound
        return found


@dataclass(frozen=True)
class ReadRecording:
    store: Reader

    async def __call__(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The MP3's bytes [start, stop). The first block is read before this returns, so that errors can be answered.

        Raises ObjectMissing, StoreUnavailable.
        """
        blocks = self._blocks(key, start, stop)
        first = await anext(blocks)
        return _with_first(first, blocks)

    async def _blocks(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """If the connection breaks, reads on from the same byte: the bytes under a key never change. A reader that
        pauses holds no connection to the store; it then gets small pieces, until it is fast again.
        """
        end = stop
        while start < stop:
            began = start
            pause = _Pause()
            try:
                async with aclosing(self.store.read(key, start, end)) as blocks:
                    async for block in blocks:
                        start += len(block)
                        with pause.unless_taken(blocks):
                            yield block
                        await pause.over()
            except StoreUnavailable:
                if start == began:
                    raise
            end = min(start + PIECE_BYTES, stop) if pause.happened else stop


class _Pause:
    """Closes a read whose last block the reader does not take in time."""

    def __init__(self) -> None:
        self._closing: asyncio.Task[None] | None = None

    @property
    def happened(self) -> bool:
        return self._closing is not None

    @contextmanager
    def unless_taken(self, blocks: AsyncGenerator[bytes]) -> Iterator[None]:
        """For the time in which the reader has the last block."""
        timer = asyncio.get_running_loop().call_later(PAUSES_AFTER_S, self._close, blocks)
        try:
            yield
        finally:
            timer.cancel()

    async def over(self) -> None:
        """To be awaited before the read goes on."""
        if self._closing is not None:
            await self._closing

    def _close(self, blocks: AsyncGenerator[bytes]) -> None:
        self._closing = asyncio.ensure_future(blocks.aclose())


async def _with_first(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for block in rest:
            yield block
