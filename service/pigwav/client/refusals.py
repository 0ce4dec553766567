"""The error that a response without success stands for."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx2

from pigwav.client.bounded_answers import MALFORMED
from pigwav.client.errors import (
    BadInput,
    ClientError,
    NameTaken,
    NotAuthenticated,
    NotFound,
    Refused,
    TryLater,
    UnexpectedAnswer,
)
from pigwav.client.transport_errors import origin

_CODES: Final[Mapping[type[Refused], tuple[str, ...]]] = {
    NotAuthenticated: ("not-authenticated",),
    NotFound: ("not-found", "recording-not-found", "waveform-missing"),
    NameTaken: ("name-taken",),
    BadInput: (
        # the WAV
        *("not-a-wav", "unsupported-container", "no-fmt-chunk", "fmt-chunk-too-short", "sample-rate-zero"),
        *("channels-zero", "bits-per-sample-invalid", "block-size-invalid", "no-data-chunk", "no-audio"),
        *("unsupported-codec", "unsupported-sample-rate", "unsupported-channels", "header-too-long"),
        *(
            "audio-too-long",
            "output-too-large",
            "undecodable-audio",
            "sound-refused",
            "upload-too-large",
            "upload-broken",
        ),
        # the request
        *("malformed-http", "malformed-multipart", "credentials-first", "fields-first", "file-missing"),
        *("invalid-idempotency-key", "idempotency-key-reused", "invalid-request", "invalid-field"),
        *("unsupported-bitrate", "unsupported-media-type", "unsupported-content-encoding", "length-required"),
    ),
    TryLater: (
        *("rate-limited", "overloaded", "shutting-down", "upload-in-progress", "upload-superseded"),
        *("database-unavailable", "store-unavailable", "storage-full"),
    ),
    Refused: (
        *("quota-exceeded", "registration-closed", "method-not-allowed", "head-too-large", "head-too-slow"),
        *("upload-idle", "precondition-failed", "range-not-satisfiable", "internal-error"),
    ),
}
BY_CODE: Final[Mapping[str, type[Refused]]] = {code: kind for kind, codes in _CODES.items() for code in codes}
"""The codes of service/docs/errors.md."""

_BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    HTTPStatus.BAD_REQUEST: BadInput,
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BadInput,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: BadInput,
    HTTPStatus.UNPROCESSABLE_ENTITY: BadInput,
    HTTPStatus.TOO_MANY_REQUESTS: TryLater,
    HTTPStatus.SERVICE_UNAVAILABLE: TryLater,
    HTTPStatus.INSUFFICIENT_STORAGE: TryLater,
}
"""Used if the code is unknown (a newer service), and for responses to HEAD, which have no body."""

_WITHOUT_BODY: Final[Mapping[int, str]] = {HTTPStatus.NOT_FOUND: "There is no recording at this link."}


def refusal(response: httpx2.Response) -> ClientError:
    """The error for a response that is not a success. The body must have been read."""
    status = response.status_code
    try:
        problem = response.json()
        code, title = str(problem["code"]), str(problem["title"])
        detail, limit, found = (problem.get(name) for name in ("detail", "limit", "found"))
    except MALFORMED:
        if response.request.method != "HEAD" or status not in _BY_STATUS:
            return UnexpectedAnswer(
                f"{origin(response.url)} answers {status} {response.reason_phrase}.", status
            )
        title = _WITHOUT_BODY.get(status, f"{HTTPStatus(status).phrase}.")
        code, detail, limit, found = HTTPStatus(status).phrase.lower().replace(" ", "-"), None, None, None
    kind = BY_CODE.get(code) or _BY_STATUS.get(status, Refused)
    return kind(
        status,
        code,
        title,
        detail=detail,
        retry_after_s=_retry_after_s(response.headers),
        limit=None if limit is None else str(limit),
        found=None if found is None else str(found),
    )


def _retry_after_s(headers: httpx2.Headers) -> int | None:
    """Retry-After, which is seconds or a date (RFC 9110 section 10.2.3); None if it is missing or invalid."""
    text = headers.get("Retry-After", "")
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0, round((moment - datetime.now(UTC)).total_seconds())) if moment.tzinfo else None
