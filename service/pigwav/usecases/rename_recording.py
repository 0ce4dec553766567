"""A recording gets another title; its bytes stay as they are."""

from dataclasses import dataclass
from typing import Final

from pigwav.db import recordings
from pigwav.db.session import Database
from pigwav.domain import Recording, RecordingId, UserId, plain_name
from pigwav.errors import InvalidField, RecordingNotFound
from pigwav.lanes import Lane

MAX_TITLE_CHARS: Final = 200


def title_from(text: str | None) -> str | None:
    """A usable title, or None where nothing printable is left. Raises InvalidField."""
    title = plain_name(text or "")
    if len(title) > MAX_TITLE_CHARS:
        raise InvalidField(f"A title has at most {MAX_TITLE_CHARS} characters, not {len(title)}.")
    return title or None


@dataclass(frozen=True)
class RenameRecording:
    database: Database
    db: Lane

    async def __call__(self, recording: RecordingId, user: UserId, title: str | None) -> Recording:
        """Raises InvalidField, RecordingNotFound."""
        return await self.db(self._rename, recording, user, title_from(title))

    def _rename(self, recording: RecordingId, user: UserId, title: str | None) -> Recording:
        with self.database.begin() as db:
            renamed = recordings.rename(db, recording, user, title)
        if renamed is None:
            raise RecordingNotFound
        return renamed
