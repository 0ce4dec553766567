"""Queries about recordings whose time is over: what has expired, and whose bytes may go."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey, RecordingId, RecordingState


@dataclass(frozen=True)
class PurgeableRow:
    """A row whose bytes have to go."""

    id: RecordingId
    object_key: ObjectKey


def expire(db: Session, age: timedelta, *, limit: int) -> int:
    """Mark at most `limit` of the recordings that became ready longer than `age` ago, the oldest first."""
    old = (
        select(RecordingRow.id)
        .where(RecordingRow.state == RecordingState.READY, RecordingRow.ready_at < func.now() - age)
        .order_by(RecordingRow.ready_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # who is at one of them now need not wait for us, nor we for them
    )
    statement = (
        update(RecordingRow)
        .where(RecordingRow.id.in_(old), RecordingRow.state == RecordingState.READY)
        .values(state=RecordingState.DELETED)
        .returning(RecordingRow.id)
    )
    return len(db.execute(statement).all())


def abort_expired_uploads(db: Session) -> int:
    """Mark the uploads whose process vanished. Live leases are never touched.

    Nor is a row that a transaction holds, of a process that froze in it for example: next time.
    """
    expired = (
        select(RecordingRow.id)
        .where(RecordingRow.state == RecordingState.PENDING, RecordingRow.lease_until < func.now())
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(RecordingRow)
        .where(RecordingRow.id.in_(expired), RecordingRow.state == RecordingState.PENDING)
        .values(state=RecordingState.DELETED, lease_id=None)
        .returning(RecordingRow.id)
    )
    return len(db.execute(statement).all())


def purgeable(db: Session, *, limit: int, after: RecordingId | None = None) -> list[PurgeableRow]:
    """Rows whose bytes may go, by id: nobody can still be writing them, the lease of their upload has run out."""
    query = select(RecordingRow.id, RecordingRow.object_key).where(
        RecordingRow.state == RecordingState.DELETED,
        or_(RecordingRow.lease_until.is_(None), RecordingRow.lease_until < func.now()),
    )
    if after is not None:
        query = query.where(RecordingRow.id > after)
    rows = db.execute(query.order_by(RecordingRow.id).limit(limit))
    return [PurgeableRow(RecordingId(row.id), ObjectKey(row.object_key)) for row in rows]
