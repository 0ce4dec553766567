"""Queries for `sweep`: recordings and uploads that have expired, and rows whose bytes may be deleted."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey, RecordingId, RecordingState


@dataclass(frozen=True)
class PurgeableRow:
    """A row whose bytes have to be deleted."""

    id: RecordingId
    object_key: ObjectKey


def expire(db: Session, age: timedelta, *, limit: int) -> int:
    """Marks recordings deleted that became ready over `age` ago: at most `limit`, oldest first. Returns how many."""
    old = (
        select(RecordingRow.id)
        .where(RecordingRow.state == RecordingState.READY, RecordingRow.ready_at < func.now() - age)
        .order_by(RecordingRow.ready_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # no waiting for other transactions, in either direction
    )
    statement = (
        update(RecordingRow)
        .where(RecordingRow.id.in_(old), RecordingRow.state == RecordingState.READY)
        .values(state=RecordingState.DELETED)
        .returning(RecordingRow.id)
    )
    return len(db.execute(statement).all())


def abort_expired_uploads(db: Session) -> int:
    """Marks pending uploads deleted if their lease has expired: their process vanished. Returns how many.

    Skips rows that another transaction locks, for example of a frozen process; the next sweep finds them.
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
    """Deleted rows without a live lease, ordered by id: nobody writes their bytes any more, they may be deleted."""
    query = select(RecordingRow.id, RecordingRow.object_key).where(
        RecordingRow.state == RecordingState.DELETED,
        or_(RecordingRow.lease_until.is_(None), RecordingRow.lease_until < func.now()),
    )
    if after is not None:
        query = query.where(RecordingRow.id > after)
    rows = db.execute(query.order_by(RecordingRow.id).limit(limit))
    return [PurgeableRow(RecordingId(row.id), ObjectKey(row.object_key)) for row in rows]
