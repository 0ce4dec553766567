"""Reads an upload up to the first byte of its WAV: its user, and the fields of its form or query."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from pigwav.api.multipart import UploadForm
from pigwav.api.parameters import base_name
from pigwav.domain import MAX_TITLE_CHARS, User, plain_name
from pigwav.errors import FieldsFirst, InvalidField, UnsupportedMediaType, UploadIdle
from pigwav.titles import Titles, title_from
from pigwav.wiring import Services

RAW_TYPES: Final = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "application/octet-stream")
FORM_TYPE: Final = "multipart/form-data"

CREDENTIALS: Final = ("user_id", "token")
"""The fields that a form needs if the request has no Bearer token."""

FIELDS_WITHIN_S: Final = 60.0
"""The time within which a form's credentials and the start of its file must arrive."""


@dataclass(frozen=True)
class IncomingUpload:
    """An upload of an authenticated user. Its WAV is still to be read."""

    user: User
    wav: AsyncIterator[bytes]
    titles: Titles
    bitrate_kbps: int | None
    filename: str | None


async def read_incoming(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> IncomingUpload:
    """Read a form's fields, or a raw body's query. `token`: the Bearer token.

    Raises UnsupportedMediaType, NotAuthenticated, UploadIdle, BadRequest, Overloaded, and what `blocks` raises.
    """
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
) -> IncomingUpload:
    needed = () if token else CREDENTIALS
    with services.admission.unauthenticated() as hold:
        form = UploadForm(request.headers["content-type"], blocks, required=needed, on_held=hold)
        try:
            # A client that is not authenticated yet gets less time.
            async with asyncio.timeout(FIELDS_WITHIN_S):
                await form.until_file()
        except TimeoutError:
            raise UploadIdle(
                f"The form's credentials and the start of its file did not arrive within {FIELDS_WITHIN_S:g} s."
            ) from None
        named = dict.fromkeys(needed, "") | form.fields
        user = await services.authenticate(
            *_given(token, named.get("token")),
            user_ids=_given(request.query_params.get("user"), named.get("user_id")),
        )
    return IncomingUpload(
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


async def _from_raw(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> IncomingUpload:
    query = request.query_params
    user = await services.authenticate(token or "", user_ids=_given(query.get("user")))
    return IncomingUpload(
        user,
        blocks,
        Titles(title_from(query.get("title")), _title_of_file(query.get("filename"))),
        bitrate_kbps=_bitrate(query.get("bitrate")),
        filename=query.get("filename"),
    )


async def _refusing_late(form: UploadForm) -> AsyncGenerator[bytes]:
    """The form's file. If a field other than the title follows it, the upload is refused: its conversion has begun."""
    async for block in form.file():
        yield block
    for name in form.late_fields:
        if name != "title":
            raise FieldsFirst(f"Put {name} before the file: its conversion has begun.")


def _title_of_file(filename: str | None) -> str | None:
    """The file's name without its extension, cut to MAX_TITLE_CHARS; None if nothing visible is left."""
    stem, dot, suffix = base_name(filename or "")[: 4 * MAX_TITLE_CHARS].rpartition(".")
    return plain_name(plain_name(stem if dot else suffix)[:MAX_TITLE_CHARS]) or None


def _bitrate(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise InvalidField("The bitrate must be a whole number of kb/s, such as 128.")
    return int(text)
