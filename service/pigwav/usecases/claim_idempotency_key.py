"""One recording per Idempotency-Key, however often and at however many replicas its upload is tried."""

from sqlalchemy.orm import Session

from pigwav.db import idempotency_keys, recordings
from pigwav.db.idempotency_keys import KeyUse
from pigwav.domain import IdempotencyKey, Recording, RecordingId, UserId
from pigwav.errors import IdempotencyKeyReused, RecordingNotFound, UploadInProgress


def earlier_recording(db: Session, user: UserId, key: IdempotencyKey) -> Recording | None:
    """The recording that an earlier try has made; None if this try may make it.

    Raises IdempotencyKeyReused, UploadInProgress, and RecordingNotFound if the recording has been deleted.
    """
    key_use = idempotency_keys.key_use(db, user, key)
    return _made(db, user, key, key_use) if key_use else None


def claim(db: Session, user: UserId, key: IdempotencyKey, recording: RecordingId) -> Recording | None:
    """Like `earlier_recording`. If this try may make the recording, no other try may from the commit on."""
    key_use = idempotency_keys.claim(db, user, key, recording)
    if key_use is None:
        return None
    made = _made(db, user, key, key_use)
    if made is None:
        idempotency_keys.take_over(db, user, key, recording, from_=key_use.recording)
    return made


def _made(db: Session, user: UserId, key: IdempotencyKey, key_use: KeyUse) -> Recording | None:
    if key_use.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    if key_use.in_flight:
        raise UploadInProgress
    if not key_use.acknowledged:
        return None
    made = recordings.find(db, key_use.recording, user)
    if made is None:
        raise RecordingNotFound("The recording that was made under this Idempotency-Key has been deleted.")
    return made
