"""Answers that are made of a recording and never change: its waveform and its card."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from fastapi import Request, Response

from pigwav.api.conditional import Answer, Conditions
from pigwav.api.headers import combined, etag, http_date
from pigwav.domain import Recording
from pigwav.errors import PreconditionFailed

_NO_HEADERS: Final[Mapping[str, str]] = {}


def representation(
    request: Request,
    recording: Recording,
    body: bytes,
    media_type: str,
    more_headers: Mapping[str, str] = _NO_HEADERS,
) -> Response:
    """The body, or 304 if the client's copy is current. A cache must ask again: the recording may have been deleted.

    Raises PreconditionFailed.
    """
    headers = {
        **more_headers,
        "Cache-Control": "private, no-cache",
        "ETag": etag(sha256(body).digest()),
        "Last-Modified": http_date(recording.ready_at),
    }
    conditions = Conditions(request.method, combined(request.headers), headers["ETag"], recording.ready_at)
    match conditions.answer():
        case Answer.NOT_MODIFIED:
            return Response(status_code=304, headers=headers)
        case Answer.PRECONDITION_FAILED:
            raise PreconditionFailed
        case _:
            return Response(body, media_type=media_type, headers=headers)
