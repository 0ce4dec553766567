"""One upload under one Idempotency-Key, however often and at however many replicas it is tried."""

from sqlalchemy.orm import Session

from pigwav.db import idempotency_keys, recordings
from pigwav.db.idempotency_keys import Standing
from pigwav.domain import IdempotencyKey, Recording, RecordingId, UserId
from pigwav.errors import IdempotencyKeyReused, RecordingNotFound, UploadInProgress


def earlier_recording(db: Session, user: UserId, key: IdempotencyKey) -> Recording | None:
    """The recording that an earlier try has made; None where this try may make it.

    Raises IdempotencyKeyReused, UploadInProgress, and RecordingNotFound where it was made and deleted since.
    """
    standing = idempotency_keys.standing(db, user, key)
    return _made(db, user, key, standing) if standing else None


def claim(db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId) -> Recording | None:
    """As `earlier_recording`; where this try may make the recording, no other one may from the commit on."""
    standing = idempotency_keys.claim(db, user, key, recording)
    if standing is None:
        return None
    made = _made(db, user, key, standing)
    if made is None:
        idempotency_keys.take_over(db, user, key, recording, from_=standing.recording)
    return made


def _made(db: Session, user: UserId, key: IdempotencyKey, standing: Standing) -> Recording | None:
    if standing.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    if standing.in_flight:
        raise UploadInProgress
    if not standing.acknowledged:
        return None
    made = recordings.find(db, standing.recording, user)
    if made is None:
        raise RecordingNotFound("The recording that was made under this Idempotency-Key has been deleted.")
    return made
