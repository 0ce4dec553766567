"""The position at which a page of recordings begins, as an opaque string that clients send back unchanged."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from pigwav.domain import RecordingId
from pigwav.errors import InvalidField

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def cursor_to(position: tuple[datetime, RecordingId]) -> str:
    ready_at, recording = position
    microseconds = (ready_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(microseconds.to_bytes(8, "big") + recording.bytes).decode().rstrip("=")


def position_of(cursor: str) -> tuple[datetime, RecordingId]:
    """Raises InvalidField."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"==")
        moment, recording = raw[:8], RecordingId(UUID(bytes=raw[8:]))
        return _EPOCH + int.from_bytes(moment, "big") * _MICROSECOND, recording
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidField("The cursor must be the `next` of the previous page, unchanged.") from error
