"""Queries about what an upload's Idempotency-Key stands for."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import IdempotencyKeyRow, RecordingRow
from pigwav.domain import IdempotencyKey, RecordingId, RecordingState, UserId


@dataclass(frozen=True)
class KeyUse:
    """How a key has been used so far. `in_flight`: an upload with a live lease is making the recording."""

    fingerprint: bytes
    recording: RecordingId
    acknowledged: bool
    in_flight: bool


def key_use(db: Session, user: UserId, key: IdempotencyKey, *, lock: bool = False) -> KeyUse | None:
    """None: the key is unused, or its use has been forgotten. `lock`: lock the recording's row, too."""
    query = select(
        IdempotencyKeyRow.fingerprint, IdempotencyKeyRow.recording_id, IdempotencyKeyRow.acknowledged
    ).where(*_of(user, key))
    row = db.execute(query).one_or_none()
    if row is None:
        return None
    lease = select(RecordingRow.lease_until >= func.now()).where(
        RecordingRow.id == row.recording_id, RecordingRow.state == RecordingState.PENDING
    )
    in_flight = db.execute(lease.with_for_update() if lock else lease).scalar_one_or_none()
    return KeyUse(row.fingerprint, RecordingId(row.recording_id), row.acknowledged, bool(in_flight))


def claim(db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId) -> KeyUse | None:
    """The key stands for `recording` from the commit on, where nobody had used it: then None.

    Else what it stands for; nobody changes that, or that recording's row, until the transaction ends.
    """
    statement = insert(IdempotencyKeyRow).values(
        user_id=user, key=key.key, fingerprint=key.fingerprint, recording_id=recording
    )
    mine = statement.on_conflict_do_nothing().returning(IdempotencyKeyRow.recording_id)
    if db.execute(mine).scalar_one_or_none() is not None:
        return None
    db.execute(select(IdempotencyKeyRow.key).where(*_of(user, key)).with_for_update()).one_or_none()
    return key_use(db, user, key, lock=True)


def take_over(
    db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId, *, from_: RecordingId
) -> None:
    """The key stands for `recording` instead of one that came to nothing, and that now cannot come to anything."""
    db.execute(
        update(RecordingRow)
        .where(RecordingRow.id == from_, RecordingRow.state == RecordingState.PENDING)
        .values(state=RecordingState.DELETED, lease_id=None)
    )
    db.execute(
        update(IdempotencyKeyRow).where(*_of(user, key)).values(recording_id=recording, created_at=func.now())
    )


def acknowledge(db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId) -> None:
    """To be called before the recording is marked ready: keys are locked before recordings."""
    db.execute(
        update(IdempotencyKeyRow)
        .where(*_of(user, key), IdempotencyKeyRow.recording_id == recording)
        .values(acknowledged=True)
    )


def forget_older(db: Session, age: timedelta) -> None:
    """But for those of uploads that are still open."""
    pending = select(RecordingRow.id).where(RecordingRow.state == RecordingState.PENDING)
    db.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.created_at < func.now() - age, IdempotencyKeyRow.recording_id.not_in(pending)
        )
    )


def _of(user: UserId, key: IdempotencyKey) -> tuple[ColumnElement[bool], ...]:
    return IdempotencyKeyRow.user_id == user, IdempotencyKeyRow.key == key.key
