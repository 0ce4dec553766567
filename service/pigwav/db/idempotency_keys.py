"""Queries for Idempotency-Keys and the recordings that they refer to."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import IdempotencyKeyRow, RecordingRow
from pigwav.domain import IdempotencyKey, RecordingId, RecordingState, UserId


@dataclass(frozen=True)
class KeyUse:
    """The use of a key so far. `in_flight`: the recording is pending and its lease has not run out."""

    fingerprint: bytes
    recording: RecordingId
    acknowledged: bool
    in_flight: bool


def key_use(db: Session, user: UserId, key: IdempotencyKey, *, lock: bool = False) -> KeyUse | None:
    """None: the key is not in use, or was removed. `lock`: also locks the recording's row."""
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
    """If the key is not in use: assigns it to `recording` from the commit on, and returns None.

    If it is in use: returns its use, and locks the key and its recording's row until the transaction ends.
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
    """Assigns the key to `recording` instead of `from_`, whose upload failed. If `from_` is pending, marks it deleted:
    it can no longer become ready.
    """
    db.execute(
        update(RecordingRow)
        .where(RecordingRow.id == from_, RecordingRow.state == RecordingState.PENDING)
        .values(state=RecordingState.DELETED, lease_id=None)
    )
    db.execute(
        update(IdempotencyKeyRow).where(*_of(user, key)).values(recording_id=recording, created_at=func.now())
    )


def acknowledge(db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId) -> None:
    """Marks the key's use as acknowledged. Call it before `mark_ready`: keys are locked before recordings."""
    db.execute(
        update(IdempotencyKeyRow)
        .where(*_of(user, key), IdempotencyKeyRow.recording_id == recording)
        .values(acknowledged=True)
    )


def forget_older(db: Session, age: timedelta) -> None:
    """Removes keys that are older than `age`, except those of pending recordings."""
    pending = select(RecordingRow.id).where(RecordingRow.state == RecordingState.PENDING)
    db.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.created_at < func.now() - age, IdempotencyKeyRow.recording_id.not_in(pending)
        )
    )


def _of(user: UserId, key: IdempotencyKey) -> tuple[ColumnElement[bool], ...]:
    return IdempotencyKeyRow.user_id == user, IdempotencyKeyRow.key == key.key
