"""Lists a user's recordings, one page at a time."""

from dataclasses import dataclass
from datetime import datetime

from pigwav.db import recordings, search, waveforms
from pigwav.db.session import Database
from pigwav.domain import Recording, RecordingId, UserId
from pigwav.executors import BoundedExecutor
from pigwav.titles import searched


@dataclass(frozen=True)
class Page:
    """`overviews`: of the recordings that have a waveform, if they were asked for. `next`: the position at which the
    next page begins; None on the last page.
    """

    items: list[Recording]
    overviews: dict[RecordingId, bytes]
    next: tuple[datetime, RecordingId] | None


@dataclass(frozen=True)
class ListRecordings:
    database: Database
    db: BoundedExecutor

    async def __call__(
        self,
        user: UserId,
        *,
        limit: int,
        before: tuple[datetime, RecordingId] | None = None,
        overviews: bool = False,
        sought: str | None = None,
    ) -> Page:
        """The user's recordings, newest first. A recording that is added meanwhile does not shift the pages.

        `sought`: only those whose titles have these words, as `search.matching` reads them; None or blank: all. Raises
        InvalidField if it is longer than a title.
        """
        return await self.db(self._page, user, limit, before, overviews, searched(sought))

    def _page(
        self,
        user: UserId,
        limit: int,
        before: tuple[datetime, RecordingId] | None,
        overviews: bool,  # noqa: FBT001 - passed by the executor
        sought: str | None,
    ) -> Page:
        with self.database.read() as db:
            if sought is None:
                found = recordings.newest(db, user, limit=limit + 1, before=before)
            else:
                found = search.matching(db, user, sought, limit=limit + 1, before=before)
            items = found[:limit]
            drawn = waveforms.overviews(db, [item.id for item in items]) if overviews else {}
        more = len(found) > limit
        return Page(items, drawn, (items[-1].ready_at, items[-1].id) if more else None)
