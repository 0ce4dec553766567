"""Finds a recording, and streams its MP3 from the store."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from pigwav.db import recordings
from pigwav.db.lookups import Lookups
from pigwav.db.session import Database
from pigwav.domain import ObjectKey, Recording, RecordingId, StoredMp3, UserId
from pigwav.errors import RecordingNotFound, StoreUnavailable
from pigwav.executors import BoundedExecutor
from pigwav.store.base import Reader


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
        """If the connection breaks, reads on from the same byte: the bytes under a key never change."""
        while start < stop:
            began = start
            try:
                async with aclosing(self.store.read(key, start, stop)) as blocks:
                    async for block in blocks:
                        start += len(block)
                        yield block
            except StoreUnavailable:
                if start == began:
                    raise


async def _with_first(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for block in rest:
            yield block
