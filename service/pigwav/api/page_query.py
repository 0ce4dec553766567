"""The query of a recording's page. People mistype it and cut it off: that is a dead link, and no malformed request."""

from uuid import UUID

from pigwav.domain import LARGEST_USER_ID, RecordingId, UserId
from pigwav.errors import RecordingNotFound


def recording_id(text: str) -> RecordingId:
    """Raises RecordingNotFound."""
    try:
        return RecordingId(UUID(text))
    except ValueError as error:
        raise RecordingNotFound from error


def user_id(text: str) -> UserId:
    """Raises RecordingNotFound."""
    if text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= LARGEST_USER_ID:
        return UserId(int(text[:20]))
    raise RecordingNotFound


def seconds(text: str) -> str:
    """The number of seconds in `t=`, as it was written; empty if it is none."""
    whole, _, fraction = text.partition(".")
    is_number = len(text) < 16 and whole.isascii() and whole.isdecimal() and f"{fraction}0".isdecimal()
    return text if is_number else ""
