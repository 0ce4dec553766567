"""Reads an upload up to the first byte of its WAV: its user, and the fields of its form or query."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from pigwav.api.multipart import UploadForm
from pigwav.api.parameters import base_name
from pigwav.api.rate_limits import rates_of
from pigwav.audio.foreign_formats import HEAD_BYTES, TEXT_FORMATS, found_in, is_wave
from pigwav.domain import MAX_TITLE_CHARS, SOUND_WARNINGS, User, WarningCode, plain_name
from pigwav.errors import FieldsFirst, InvalidField, UnsupportedMediaType, UploadIdle
from pigwav.titles import Titles, title_from
from pigwav.wiring import Services

RAW_TYPES: Final = ("audio/wav", "audio/*", "application/octet-stream")
"""The documented types of a raw body. The bytes decide what it is: clients often send another type, or none."""

FORM_TYPE: Final = "multipart/form-data"
_BINARY_TYPES: Final = frozenset({"application/octet-stream", "binary/octet-stream", "application/x-wav", ""})

CREDENTIALS: Final = ("user_id", "token")
"""The fields that a form needs if the request has no Bearer token."""

_NO_NAMES: Final = frozenset(
    ("", "-", "blob", "nil", "none", "null", "stdin", "undefined", "[object blob]", "[object file]")
)
"""File names that programs send if there is no name: browsers (`blob`), curl (`-`), scripts (`undefined`, `None`)."""

_NO_BARE_NAMES: Final = _NO_NAMES | {"file", "filename", "unknown", "unnamed", "untitled"}
"""The same for names without an extension: `file.wav` may be a person's."""

_SHOWN_CHARS: Final = 40

FIELDS_WITHIN_S: Final = 60.0
"""The time within which a form's credentials and the start of its file must arrive."""


@dataclass(frozen=True)
class IncomingUpload:
    """An upload of an authenticated user. Its WAV is still to be read.

    `strict`: warnings about the sound that make the upload fail.
    """

    user: User
    wav: AsyncIterator[bytes]
    titles: Titles
    bitrate_kbps: int | None
    strict: frozenset[WarningCode]
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
    if kind in _BINARY_TYPES or kind.startswith("audio/"):
        return await _from_raw(request, services, token, blocks)
    return await _from_raw(request, services, token, _unless_text(kind, blocks))


async def _from_form(
    request: Request, services: Services, token: str | None, blocks: AsyncGenerator[bytes]
) -> IncomingUpload:
    needed = () if token else CREDENTIALS
    timer = asyncio.timeout(FIELDS_WITHIN_S)  # a client that is not authenticated yet gets less time
    with services.admission.unauthenticated(
        rates_of(request.scope).address, on_evicted=lambda: _end_now(timer)
    ) as held:
        form = UploadForm(request.headers["content-type"], blocks, required=needed, on_held=held.hold)
        try:
            async with timer:
                await form.until_file()
        except TimeoutError:
            held.check()
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
        _checking_late(form, services, token),
        Titles(
            title_from(form.fields.get("title")),
            _title_of_file(form.filename),
            late=lambda: title_from(form.late_fields.get("title")),
        ),
        bitrate_kbps=_bitrate(form.fields.get("bitrate")),
        strict=_strict(form.fields.get("strict")),
        filename=form.filename,
    )


def _end_now(timer: asyncio.Timeout) -> None:
    """Does nothing if the timer's block has ended."""
    with suppress(RuntimeError):
        timer.reschedule(0)


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
        strict=_strict(query.get("strict")),
        filename=query.get("filename"),
    )


async def _unless_text(kind: str, blocks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes. Raises UnsupportedMediaType if they are text: then it is the Content-Type that is right."""
    head = bytearray()
    async for block in blocks:
        head += block
        if len(head) >= HEAD_BYTES:
            break
    start = bytes(head[:HEAD_BYTES])
    if not is_wave(start) and (found := found_in(start)) in TEXT_FORMATS:
        raise UnsupportedMediaType(f"Send {FORM_TYPE} or {RAW_TYPES[0]}, not {kind}.", found=found)
    yield bytes(head)
    async for block in blocks:
        yield block


async def _checking_late(form: UploadForm, services: Services, token: str | None) -> AsyncGenerator[bytes]:
    """The form's file. Then the fields after it are checked: credentials must be those of the Bearer token, a title is
    used, and others are refused, because the conversion has begun.
    """
    async for block in form.file():
        yield block
    late = form.late_fields
    if late.keys() & {*CREDENTIALS}:
        await services.authenticate(*_given(token, late.get("token")), user_ids=_given(late.get("user_id")))
    for name in late.keys() - {*CREDENTIALS, "title"}:
        raise FieldsFirst(f"Put {name} before the file: its conversion has begun.")


def _title_of_file(filename: str | None) -> str | None:
    """The file's name without its extension, cut to MAX_TITLE_CHARS; None if nothing visible is left, or if a program
    and not a person has chosen it.
    """
    stem, dot, suffix = base_name(filename or "")[: 4 * MAX_TITLE_CHARS].rpartition(".")
    title = plain_name(plain_name(stem if dot else suffix)[:MAX_TITLE_CHARS])
    return None if title.lower() in (_NO_NAMES if dot else _NO_BARE_NAMES) else title


def _bitrate(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise InvalidField("The bitrate must be a whole number of kb/s, such as 128.")
    return int(text)


def _strict(text: str | None) -> frozenset[WarningCode]:
    codes = {code for part in (text or "").split(",") if (code := part.strip())}
    if unknown := codes - SOUND_WARNINGS:
        known = ", ".join(sorted(SOUND_WARNINGS))
        raise InvalidField(f"The field strict names {min(unknown)[:_SHOWN_CHARS]!a}. It may name {known}.")
    return frozenset(map(WarningCode, codes))
