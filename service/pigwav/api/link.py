"""The public link: any client that has it may play the recording and seek in it."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pigwav.api.conditional import Answer, Conditions
from pigwav.api.deps import ServicesDep
from pigwav.api.headers import combined, etag, http_date, repr_digest
from pigwav.api.openapi import problems
from pigwav.api.rate_limits import rates_of
from pigwav.api.routes import LINK, LINK_MP3
from pigwav.disposition import content_disposition
from pigwav.domain import LARGEST_USER_ID, Recording, RecordingId, UserId
from pigwav.errors import (
    InvalidRequest,
    Overloaded,
    PreconditionFailed,
    RangeNotSatisfiable,
    RecordingNotFound,
    Unavailable,
)
from pigwav.ranges import ByteSlice, Unsatisfiable, Whole, select
from pigwav.wiring import Services

router = APIRouter(tags=["link"])

MP3: Final = "audio/mpeg"

UserQuery = Annotated[int, Query(ge=1, le=LARGEST_USER_ID, description="The owner's user id.")]

_AUDIO: Final[dict[str, Any]] = {"content": {MP3: {"schema": {"type": "string", "format": "binary"}}}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The whole MP3.", **_AUDIO},
    206: {"description": "The requested range of the MP3.", **_AUDIO},
    304: {"description": "Not modified: the client's copy is current."},
    **problems(
        RecordingNotFound, PreconditionFailed, RangeNotSatisfiable, InvalidRequest, Overloaded, Unavailable
    ),
}


@router.head(LINK, response_class=Response, responses=_ANSWERS, operation_id="head")
@router.get(LINK, response_class=Response, responses=_ANSWERS, operation_id="play")
async def play(
    request: Request,
    services: ServicesDep,
    recording_id: Annotated[UUID, Query(alias="id", description="The recording's id.")],
    user: UserQuery,
) -> Response:
    """Stream a recording's MP3. Supports range and conditional requests (RFC 9110)."""
    return await _answer(request, services, RecordingId(recording_id), UserId(user))


@router.head(LINK_MP3, response_class=Response, responses=_ANSWERS, operation_id="head_mp3")
@router.get(LINK_MP3, response_class=Response, responses=_ANSWERS, operation_id="play_mp3")
async def play_mp3(
    request: Request,
    services: ServicesDep,
    recording_id: UUID,
    user: UserQuery,
) -> Response:
    """The same as `/record`, for players that need the extension `.mp3` in the URL."""
    return await _answer(request, services, RecordingId(recording_id), UserId(user))


async def _answer(request: Request, services: Services, recording_id: RecordingId, user: UserId) -> Response:
    recording = await services.find_recording(recording_id, user)
    headers = _headers(recording)
    conditions = Conditions(request.method, combined(request.headers), headers["ETag"], recording.ready_at)
    match conditions.answer():
        case Answer.NOT_MODIFIED:
            for_caches = ("ETag", "Last-Modified", "Cache-Control")  # RFC 9110 15.4.5
            return Response(status_code=304, headers={name: headers[name] for name in for_caches})
        case Answer.PRECONDITION_FAILED:
            raise PreconditionFailed
        case Answer.WHOLE:
            return await _send(request, services, recording, Whole(), headers)
        case Answer.RANGE:
            selection = select(request.headers.get("range"), recording.facts.size_bytes)
            return await _send(request, services, recording, selection, headers)


async def _send(
    request: Request,
    services: Services,
    recording: Recording,
    selection: Whole | ByteSlice | Unsatisfiable,
    headers: dict[str, str],
) -> Response:
    size_bytes = recording.facts.size_bytes
    if isinstance(selection, Unsatisfiable):
        raise RangeNotSatisfiable(size_bytes=size_bytes)
    selected = ByteSlice(0, size_bytes) if isinstance(selection, Whole) else selection
    status = 200
    if isinstance(selection, ByteSlice):
        status = 206
        headers["Content-Range"] = selected.content_range(size_bytes)
    headers["Content-Length"] = str(selected.length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=MP3)
    with ExitStack() as place:
        place.enter_context(services.open_downloads.one_more(rates_of(request.scope).address))
        blocks = await services.read_recording(recording, selected.start, selected.stop)
        return Download(blocks, place.pop_all(), status, headers)


class Download(StreamingResponse):
    """Counts as an open download while it lasts. If the client disconnects, the place among the open downloads and
    the connection to the store are released at once.
    """

    def __init__(
        self, blocks: AsyncGenerator[bytes], place: ExitStack, status_code: int, headers: dict[str, str]
    ) -> None:
        super().__init__(blocks, status_code, headers, MP3)
        self._blocks = blocks
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            async with aclosing(self._blocks):
                await super().__call__(scope, receive, send)


def _headers(recording: Recording) -> dict[str, str]:
    facts = recording.facts
    return {
        "Accept-Ranges": "bytes",
        "ETag": etag(facts.sha256),
        "Repr-Digest": repr_digest(facts.sha256),
        "Last-Modified": http_date(recording.ready_at),
        "Content-Disposition": content_disposition(recording.download_name, inline=True),
        "Cache-Control": "private, no-cache",  # a cache must ask again: the recording may have been deleted
    }
