"""Changes a recording's title; its bytes do not change."""

from dataclasses import dataclass

from pigwav.db import recordings
from pigwav.db.session import Database
from pigwav.domain import Recording, RecordingId, UserId
from pigwav.errors import RecordingNotFound
from pigwav.executors import BoundedExecutor
from pigwav.titles import title_from


@dataclass(frozen=True)
class RenameRecording:
    database: Database
    db: BoundedExecutor

    async def __call__(self, recording: RecordingId, user: UserId, title: str | None) -> Recording:
        """Raises InvalidField, RecordingNotFound."""
        return await self.db(self._rename, recording, user, title_from(title))

    def _rename(self, recording: RecordingId, user: UserId, title: str | None) -> Recording:
        with self.database.begin() as db:
            renamed = recordings.rename(db, recording, user, title)
        if renamed is None:
            raise RecordingNotFound
        return renamed
