"""Deletes a recording: first its row is marked, later `sweep` removes its bytes."""

from dataclasses import dataclass

from pigwav.db import recordings
from pigwav.db.session import Database
from pigwav.domain import RecordingId, UserId
from pigwav.errors import RecordingNotFound
from pigwav.executors import BoundedExecutor


@dataclass(frozen=True)
class DeleteRecording:
    database: Database
    db: BoundedExecutor

    async def __call__(self, recording: RecordingId, user: UserId) -> None:
        """The link stops working at once. Raises RecordingNotFound."""
        await self.db(self._delete, recording, user)

    def _delete(self, recording: RecordingId, user: UserId) -> None:
        with self.database.begin() as db:
            if not recordings.mark_deleted(db, recording, user):
                raise RecordingNotFound
