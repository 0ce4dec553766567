"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header-07) of an upload."""

import re
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from starlette.datastructures import Headers

from pigwav.domain import IdempotencyKey
from pigwav.errors import InvalidIdempotencyKey

NAME: Final = "Idempotency-Key"
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')
"""A String of RFC 9651 section 3.3.3, as the draft requires."""
_BARE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{1,255}")
"""The form that many clients send instead: without quotes, and without `"`, `,`, `;`, spaces and backslashes."""


def idempotency_key(
    headers: Headers, *, filename: str | None, strict: Collection[str] = ()
) -> IdempotencyKey | None:
    """The upload's key, or None if it has none. Raises InvalidIdempotencyKey.

    The fingerprint covers what is known before the body: its declared length, the file's name, and `strict`.
    """
    sent = headers.getlist(NAME)
    if not sent:
        return None
    if len(sent) > 1:
        raise InvalidIdempotencyKey("There is more than one Idempotency-Key.")
    key = sent[0].strip(" \t")
    if quoted := _STRING.fullmatch(key):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not _BARE.fullmatch(key):
        raise InvalidIdempotencyKey
    fingerprint = f"{headers.get('content-length', '')}\n{filename or ''}"
    if strict:
        fingerprint += f"\n{','.join(sorted(strict))}"
    return IdempotencyKey(key, sha256(fingerprint.encode(errors="replace")).digest())
