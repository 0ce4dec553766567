"""Queries for the scrubber, which reads recordings back, the least recently read one first."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey, RecordingId, RecordingState


@dataclass(frozen=True)
class ExpectedObject:
    """The object that a ready row describes. `scrubbed_at`: when the object was last found to match."""

    id: RecordingId
    object_key: ObjectKey
    size_bytes: int
    sha256: bytes
    scrubbed_at: datetime | None


def now(db: Session) -> datetime:
    """The time on the database's clock, which also sets `scrubbed_at`."""
    return db.execute(select(func.now())).scalar_one()


def next_expected(
    db: Session, *, before: datetime, after: ExpectedObject | None = None
) -> ExpectedObject | None:
    """The next ready recording after `after`, least recently scrubbed first, of those not scrubbed since `before`."""
    never, at, row_id = RecordingRow.scrubbed_at.is_(None), RecordingRow.scrubbed_at, RecordingRow.id
    query = select(row_id, RecordingRow.object_key, RecordingRow.size_bytes, RecordingRow.sha256, at).where(
        _ready(), or_(never, at < before)
    )
    if after is not None and after.scrubbed_at is None:
        query = query.where(or_(and_(never, row_id > after.id), at.is_not(None)))
    elif after is not None:
        query = query.where(tuple_(at, row_id) > (after.scrubbed_at, after.id))
    row = db.execute(query.order_by(at.asc().nulls_first(), row_id).limit(1)).mappings().one_or_none()
    return None if row is None else ExpectedObject(**row)


def is_ready(db: Session, recording: RecordingId) -> bool:
    query = select(RecordingRow.id).where(RecordingRow.id == recording, _ready())
    return db.execute(query).scalar_one_or_none() is not None


def mark_scrubbed(db: Session, recording: RecordingId) -> None:
    """Sets `scrubbed_at`: the bytes were just read back and matched."""
    db.execute(
        update(RecordingRow).where(RecordingRow.id == recording, _ready()).values(scrubbed_at=func.now())
    )


def _ready() -> ColumnElement[bool]:
    return RecordingRow.state == RecordingState.READY
