"""Header fields: digests and dates of responses, and repeated fields of requests."""

from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.datastructures import Headers


def etag(sha256: bytes) -> str:
    """The strong entity tag of immutable bytes: their quoted hex SHA-256."""
    return f'"{sha256.hex()}"'


def repr_digest(sha256: bytes) -> str:
    """RFC 9530: the digest of the whole representation, whichever part of it is sent."""
    return f"sha-256=:{b64encode(sha256).decode('ascii')}:"


def http_date(moment: datetime) -> str:
    """`moment` (aware) as an IMF-fixdate, RFC 9110 section 5.6.7."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def combined(headers: Headers) -> dict[str, str]:
    """The headers by lower-case name. Repeated headers are joined into one list (RFC 9110 5.3)."""
    combined: dict[str, str] = {}
    for name, value in headers.items():
        combined[name] = f"{combined[name]}, {value}" if name in combined else value
    return combined
