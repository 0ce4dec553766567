"""Rows and objects that an upload has left."""

from dataclasses import dataclass

from sqlalchemy import select

from pigwav.db.models import RecordingRow
from pigwav.wiring import Services


@dataclass(frozen=True)
class Traces:
    services: Services

    def of(self, user: int) -> list[str]:
        """The states of all rows of this user."""
        with self.services.list_recordings.database.read() as db:
            return list(db.execute(select(RecordingRow.state).where(RecordingRow.user_id == user)).scalars())

    def rows(self) -> int:
        with self.services.list_recordings.database.read() as db:
            return len(db.execute(select(RecordingRow.id)).all())

    def of_store(self, user: int) -> list[str]:
        """The keys of this user's objects and open multipart uploads."""
        store, prefix = self.services.add_recording.store, f"recordings/{user}/"
        uploads = [upload.key for upload in store.open_uploads() if upload.key.startswith(prefix)]
        return [stored.key for stored in store.list(prefix)] + uploads
