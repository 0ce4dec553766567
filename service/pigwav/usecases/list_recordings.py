"""Lists a user's recordings, one page at a time."""

from dataclasses import dataclass
from datetime import datetime

from pigwav.db import recordings
from pigwav.db.session import Database
from pigwav.domain import Recording, RecordingId, UserId
from pigwav.executors import BoundedExecutor


@dataclass(frozen=True)
class Page:
    """`next`: the position at which the next page begins; None on the last page."""

    items: list[Recording]
    next: tuple[datetime, RecordingId] | None


@dataclass(frozen=True)
class ListRecordings:
    database: Database
    db: BoundedExecutor

    async def __call__(
        self, user: UserId, *, limit: int, before: tuple[datetime, RecordingId] | None = None
    ) -> Page:
        """The user's recordings, newest first. A recording that is added meanwhile does not shift the pages."""
        return await self.db(self._page, user, limit, before)

    def _page(self, user: UserId, limit: int, before: tuple[datetime, RecordingId] | None) -> Page:
        with self.database.read() as db:
            found = recordings.newest(db, user, limit=limit + 1, before=before)
        items = found[:limit]
        more = len(found) > limit
        return Page(items, (items[-1].ready_at, items[-1].id) if more else None)
