"""Queries for waveforms."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from pigwav.db.models import WaveformRow
from pigwav.domain import RecordingId

OVERVIEW_POINTS: Final = 96


def find(db: Session, recording: RecordingId) -> bytes | None:
    """`dat`; None if the recording has no waveform."""
    return db.execute(
        select(WaveformRow.dat).where(WaveformRow.recording_id == recording)
    ).scalar_one_or_none()


def overviews(db: Session, recordings: Collection[RecordingId]) -> dict[RecordingId, bytes]:
    """The overviews of those recordings that have a waveform."""
    query = select(WaveformRow.recording_id, WaveformRow.overview).where(
        WaveformRow.recording_id.in_(recordings)
    )
    return {RecordingId(row.recording_id): row.overview for row in db.execute(query)}
