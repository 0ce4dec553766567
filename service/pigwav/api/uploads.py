"""`POST /records`: a WAV as a form or as a raw body, converted while it arrives."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from pigwav.api import idempotency
from pigwav.api.body import BODY_ERRORS, body_blocks
from pigwav.api.connections.client_presence import presence_of
from pigwav.api.deps import RatesDep, ServicesDep, TokenDep, link
from pigwav.api.multipart import UploadForm
from pigwav.api.openapi import problems
from pigwav.api.parameters import base_name
from pigwav.api.routes import RECORDS
from pigwav.api.schemas import EXAMPLE_TOKEN, RecordingOut
from pigwav.domain import MAX_TITLE_CHARS, User, plain_name
from pigwav.errors import (
    BadAudio,
    BadRequest,
    FieldsFirst,
    InvalidField,
    NotAuthenticated,
    Overloaded,
    PigWavError,
    QuotaExceeded,
    RecordingNotFound,
    ShuttingDown,
    Unavailable,
    UnsupportedMediaType,
    UploadIdle,
    UploadInProgress,
    UploadOvertaken,
)
from pigwav.titles import Titles, title_from
from pigwav.wiring import Services

router = APIRouter(tags=["recordings"])

RAW_TYPES: Final = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "application/octet-stream")
FORM_TYPE: Final = "multipart/form-data"

CREDENTIALS: Final = ("user_id", "token")
"""What a form without a Bearer token must have."""

FIELDS_WITHIN_S: Final = 60.0
"""From the first byte of a form until its sender is known."""

_BINARY: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "user_id": {
            "type": "integer",
            "description": "Before the file, with `token`; not needed with Bearer.",
        },
        "token": {
            "type": "string",
            "format": "uuid",
            "description": "Before the file; not needed with Bearer.",
        },
        "title": {"type": "string", "description": "Else the WAV's own, else the file's name."},
        "bitrate": {"type": "integer", "description": "kb/s, constant; before the file."},
        "file": _BINARY | {"description": "The WAV."},
    },
}
_QUERY: Final[list[dict[str, Any]]] = [
    {
        "name": "user",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "The user id; if it is given, it must be that of the token.",
    },
    {"name": "title", "in": "query", "schema": {"type": "string"}, "description": "Raw body: the title."},
    {
        "name": "filename",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Raw body: the file's name, the title where neither `title` nor the WAV gives one.",
    },
    {"name": "bitrate", "in": "query", "schema": {"type": "integer"}, "description": "Raw body: kb/s."},
]
_KEY: Final[dict[str, Any]] = {
    "name": idempotency.NAME,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "A name of the sender's for this upload, the same in every try of it: however many of them arrive, "
    "one recording is made, and all get its answer. Best a UUID; remembered for a day.",
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}
_UPLOAD: Final[dict[str, Any]] = {
    "parameters": [*_QUERY, _KEY],
    "requestBody": {
        "required": True,
        "content": {
            FORM_TYPE: {"schema": _FORM_SCHEMA, "example": {"user_id": 1, "token": EXAMPLE_TOKEN}},
            **{kind: {"schema": _BINARY} for kind in RAW_TYPES},
        },
    },
}


@dataclass(frozen=True)
class Incoming:
    """An upload whose sender is known, with its WAV still to come."""

    user: User
    wav: AsyncIterator[bytes]
    titles: Titles
    bitrate_kbps: int | None
    filename: str | None


@router.post(
    RECORDS,
    status_code=201,
    openapi_extra=_UPLOAD,
    responses={
        **problems(
            BadAudio,
            BadRequest,
            *BODY_ERRORS,
            NotAuthenticated,
            QuotaExceeded,
            RecordingNotFound,
            UploadInProgress,
            Overloaded,
            ShuttingDown,
            UploadOvertaken,
            Unavailable,
        ),
        201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The link."}}},
    },
)
async def upload(
    request: Request, response: Response, services: ServicesDep, rates: RatesDep, token: TokenDep
) -> RecordingOut:
    """Convert and store a WAV; answers its link.

    A form has the WAV as `file` (and `title`, `bitrate`); a raw body is the WAV. The token comes as Bearer, with or
    without `user`, or in a form as `token` with `user_id`; if something comes twice, both must agree. The recording
    is playable when the answer is there, and nothing is left of an upload that failed. With an `Idempotency-Key`, an
    upload may be repeated without being there twice.
    """
    with _counted(services), presence_of(request.scope).required():
        services.admission.at_head(declared_bytes=_content_length(request))
        async with aclosing(body_blocks(request.receive, services.settings.limits)) as blocks:
            incoming = await _incoming(request, services, token, blocks)
            with services.admission.for_user(incoming.user, rates):
                recording = await services.add_recording(
                    incoming.user.id,
                    incoming.wav,
                    titles=incoming.titles,
                    bitrate_kbps=incoming.bitrate_kbps,
                    once=idempotency.idempotency_key(request.headers, filename=incoming.filename),
                )
    url = link(request, recording)
    response.headers["Location"] = url
    return RecordingOut.of(recording, url)


@contextmanager
def _counted(services: Services) -> Iterator[None]:
    """The upload's outcome, in the metrics. The server cancels a request for one reason: its grace is over, and by then
    the upload has cleaned up.
    """
    outcome = "internal-error"
    try:
        yield
        outcome = "stored"
    except PigWavError as error:
        outcome = error.code
        raise
    except asyncio.CancelledError as error:
        outcome = ShuttingDown.code
        raise ShuttingDown from error
    finally:
        services.metrics.uploads.labels(outcome).inc()


def _content_length(request: Request) -> int | None:
    """None if the request does not say how long its body is."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else None


async def _incoming(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> Incoming:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM_TYPE:
        return await _from_form(request, services, token, blocks)
    if kind in RAW_TYPES:
        return await _from_raw(request, services, token, blocks)
    raise UnsupportedMediaType(
        f"Send {FORM_TYPE} or {RAW_TYPES[0]}, not {kind or 'a body without Content-Type'}."
    )


async def _from_form(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> Incoming:
    needed = () if token else CREDENTIALS
    with services.admission.unauthenticated() as hold:
        form = UploadForm(request.headers["content-type"], blocks, required=needed, on_held=hold)
        await _in_time(form.until_file())
        named = dict.fromkeys(needed, "") | form.fields
        user = await services.authenticate(
            *_given(token, named.get("token")),
            user_ids=_given(request.query_params.get("user"), named.get("user_id")),
        )
    return Incoming(
        user,
        _refusing_late(form),
        Titles(
            title_from(form.fields.get("title")),
            _title_of_file(form.filename),
            late=lambda: title_from(form.late_fields.get("title")),
        ),
        bitrate_kbps=_bitrate(form.fields.get("bitrate")),
        filename=form.filename,
    )


def _given(*values: str | None) -> list[str]:
    return [value for value in values if value is not None]


async def _in_time(fields: Awaitable[None]) -> None:
    """A client that drips a form's fields is no sender yet, and not waited for as long as one."""
    try:
        async with asyncio.timeout(FIELDS_WITHIN_S):
            await fields
    except TimeoutError:
        raise UploadIdle(f"The form's user_id and token did not come within {FIELDS_WITHIN_S:g} s.") from None


async def _from_raw(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> Incoming:
    query = request.query_params
    user = await services.authenticate(token or "", user_ids=_given(query.get("user")))
    return Incoming(
        user,
        blocks,
        Titles(title_from(query.get("title")), _title_of_file(query.get("filename"))),
        bitrate_kbps=_bitrate(query.get("bitrate")),
        filename=query.get("filename"),
    )


async def _refusing_late(form: UploadForm) -> AsyncGenerator[bytes]:
    """The form's file. Of the fields behind a file that was streaming, only a title still has a meaning."""
    async for block in form.file():
        yield block
    for name in form.late_fields:
        if name != "title":
            raise FieldsFirst(f"Put {name} before the file: its conversion has begun.")


def _title_of_file(filename: str | None) -> str | None:
    """The file's name without its extension, cut where it is longer than a title may be."""
    stem, dot, suffix = base_name(filename or "")[: 4 * MAX_TITLE_CHARS].rpartition(".")
    return plain_name(plain_name(stem if dot else suffix)[:MAX_TITLE_CHARS]) or None


def _bitrate(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise InvalidField("A bitrate is a whole number of kb/s, such as 128.")
    return int(text)
