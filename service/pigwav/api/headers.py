"""Values of response headers: digests and dates."""

from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime


def etag(sha256: bytes) -> str:
    """The strong entity tag of immutable bytes: their quoted hex SHA-256."""
    return f'"{sha256.hex()}"'


def repr_digest(sha256: bytes) -> str:
    """RFC 9530: the digest of the whole representation, whichever part of it is sent."""
    return f"sha-256=:{b64encode(sha256).decode('ascii')}:"


def http_date(moment: datetime) -> str:
    """`moment` (aware) as an IMF-fixdate, RFC 9110 section 5.6.7."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
