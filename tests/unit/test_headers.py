"""Headers made from facts: digests and dates."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

from pigwav.api.headers import etag, http_date, repr_digest


def test_digest_and_entity_tag_name_the_same_bytes() -> None:
    digest = sha256(b"mp3").digest()
    assert etag(digest) == f'"{sha256(b"mp3").hexdigest()}"'
    value = repr_digest(digest)
    assert value.startswith("sha-256=:")
    assert value.endswith(":")
    assert b64decode(value[9:-1], validate=True) == digest


def test_date_is_an_imf_fixdate_in_gmt() -> None:
    moscow = timezone(timedelta(hours=3))
    assert http_date(datetime(2026, 3, 1, 2, 4, 5, 999_999, tzinfo=moscow)) == "Sat, 28 Feb 2026 23:04:05 GMT"
    assert http_date(datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)) == "Sun, 06 Nov 1994 08:49:37 GMT"
