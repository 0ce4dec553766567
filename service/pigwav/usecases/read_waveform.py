"""Reads the waveform of a recording."""

from dataclasses import dataclass

from pigwav.audio.waveform import Waveform
from pigwav.db import recordings, waveforms
from pigwav.db.session import Database
from pigwav.domain import Recording, RecordingId, UserId
from pigwav.errors import RecordingNotFound, WaveformMissing
from pigwav.executors import BoundedExecutor


@dataclass(frozen=True)
class ReadWaveform:
    """For whoever has the link, as for the MP3."""

    database: Database
    db: BoundedExecutor

    async def __call__(self, recording: RecordingId, user: UserId) -> tuple[Recording, Waveform]:
        """Raises RecordingNotFound, WaveformMissing."""
        found, dat = await self.stored(recording, user)
        if dat is None:
            raise WaveformMissing
        return found, Waveform.read(dat)

    async def stored(self, recording: RecordingId, user: UserId) -> tuple[Recording, bytes | None]:
        """The waveform as `Waveform.dat` wrote it; None if the recording has none. Raises RecordingNotFound."""
        return await self.db(self._find, recording, user)

    def _find(self, recording: RecordingId, user: UserId) -> tuple[Recording, bytes | None]:
        with self.database.read() as db:
            found = recordings.find(db, recording, user)
            if found is None:
                raise RecordingNotFound
            return found, waveforms.find(db, recording)
