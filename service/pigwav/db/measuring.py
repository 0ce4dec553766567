"""Queries for recordings whose levels and waveform are measured after their upload."""

from dataclasses import asdict, dataclass

from sqlalchemy import and_, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow, WaveformRow
from pigwav.domain import AudioFacts, RecordingId, RecordingState, UserId


@dataclass(frozen=True)
class Listed:
    """A ready recording. `is_measured`: it has levels and a waveform."""

    id: RecordingId
    user: UserId
    is_measured: bool


def ready_recordings(db: Session, *, after: RecordingId | None, limit: int) -> list[Listed]:
    """At most `limit` recordings of all users, by id, from the first one behind `after`."""
    drawn = exists().where(WaveformRow.recording_id == RecordingRow.id)
    query = select(
        RecordingRow.id,
        RecordingRow.user_id.label("user"),
        and_(RecordingRow.levels.is_not(None), drawn).label("is_measured"),
    ).where(RecordingRow.state == RecordingState.READY)
    if after is not None:
        query = query.where(RecordingRow.id > after)
    rows = db.execute(query.order_by(RecordingRow.id).limit(limit)).mappings()
    return [Listed(**row) for row in rows]


def store_measured(
    db: Session, recording: RecordingId, audio: AudioFacts, *, dat: bytes, overview: bytes
) -> bool:
    """Stores the levels, with the peak and the warnings, and the waveform, if the recording still lacks them.

    False if it is no longer ready; then nothing is changed.
    """
    locked = select(RecordingRow.levels.is_(None)).where(
        RecordingRow.id == recording, RecordingRow.state == RecordingState.READY
    )
    lacks_levels = db.execute(locked.with_for_update()).scalar_one_or_none()
    if lacks_levels is None:
        return False
    if lacks_levels:
        _store_levels(db, recording, audio)
    waveform = insert(WaveformRow).values(recording_id=recording, dat=dat, overview=overview)
    db.execute(waveform.on_conflict_do_nothing())
    return True


def _store_levels(db: Session, recording: RecordingId, audio: AudioFacts) -> None:
    values = {
        "peak_dbfs": audio.peak_dbfs,
        "levels": None if audio.levels is None else asdict(audio.levels),
        "warnings": None if audio.warnings is None else [asdict(warning) for warning in audio.warnings],
    }
    db.execute(update(RecordingRow).where(RecordingRow.id == recording).values(**values))
