"""The public link: any client that has it may play the recording and seek in it."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api.conditional import Answer, Conditions
from pigwav.api.connections.client_presence import presence_of
from pigwav.api.deps import ServicesDep
from pigwav.api.headers import combined, etag, http_date, repr_digest
from pigwav.api.openapi import problems
from pigwav.api.rate_limits import rates_of
from pigwav.api.routes import LINK, LINK_MP3
from pigwav.disposition import content_disposition
from pigwav.domain import LARGEST_USER_ID, ObjectKey, RecordingId, StoredMp3, UserId
from pigwav.errors import (
    InvalidRequest,
    Overloaded,
    PreconditionFailed,
    RangeNotSatisfiable,
    RecordingNotFound,
    Unavailable,
)
from pigwav.ranges import ByteSlice, Selection, Unsatisfiable, Whole, select
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
    services: ServicesDep,
    recording_id: Annotated[UUID, Query(alias="id", description="The recording's id.")],
    user: UserQuery,
) -> Response:
    """Stream a recording's MP3. Supports range and conditional requests (RFC 9110)."""
    return _Sent(SendMp3(services, RecordingId(recording_id), UserId(user)))


@router.head(LINK_MP3, response_class=Response, responses=_ANSWERS, operation_id="head_mp3")
@router.get(LINK_MP3, response_class=Response, responses=_ANSWERS, operation_id="play_mp3")
async def play_mp3(
    services: ServicesDep,
    recording_id: UUID,
    user: UserQuery,
) -> Response:
    """The same as `/record`, for players that need the extension `.mp3` in the URL."""
    return _Sent(SendMp3(services, RecordingId(recording_id), UserId(user)))


@dataclass(frozen=True)
class LinkAnswer:
    """The answer to a request for a recording that exists. `selected`: the bytes to send; None: no body."""

    status: int
    headers: dict[str, str]
    selected: ByteSlice | None = None

    def start(self) -> Message:
        """The message that begins the response."""
        fields = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()
        ]
        return {"type": "http.response.start", "status": self.status, "headers": fields}


def answer_of(mp3: StoredMp3, method: str, headers: Headers) -> LinkAnswer:
    """`headers`: the request's. Raises PreconditionFailed, RangeNotSatisfiable."""
    fields = _fields(mp3)
    match Conditions(method, combined(headers), fields["ETag"], mp3.ready_at).answer():
        case Answer.NOT_MODIFIED:
            for_caches = ("ETag", "Last-Modified", "Cache-Control")  # RFC 9110 15.4.5
            return LinkAnswer(304, {name: fields[name] for name in for_caches})
        case Answer.PRECONDITION_FAILED:
            raise PreconditionFailed
        case Answer.WHOLE:
            selection: Selection = Whole()
        case Answer.RANGE:
            selection = select(headers.get("range"), mp3.size_bytes)
    return _with_bytes(selection, mp3.size_bytes, method, fields)


def _with_bytes(selection: Selection, size_bytes: int, method: str, fields: dict[str, str]) -> LinkAnswer:
    if isinstance(selection, Unsatisfiable):
        raise RangeNotSatisfiable(size_bytes=size_bytes)
    status, selected = (200, ByteSlice(0, size_bytes)) if isinstance(selection, Whole) else (206, selection)
    if status == 206:
        fields["Content-Range"] = selected.content_range(size_bytes)
    fields |= {"Content-Length": str(selected.length), "Content-Type": MP3}
    return LinkAnswer(status, fields, None if method == "HEAD" else selected)


@dataclass(frozen=True)
class SendMp3:
    """An ASGI application that answers a request for one link.

    If the client disconnects, the place among the open downloads and the connection to the store are released at once.
    """

    services: Services
    recording: RecordingId
    user: UserId

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Raises the errors in `_ANSWERS`, and StoreUnavailable also in the middle of the answer."""
        with presence_of(scope).while_connected():
            mp3 = await self.services.find_mp3(self.recording, self.user)
            answer = answer_of(mp3, scope["method"], Headers(scope=scope))
            if answer.selected is None:
                await send(answer.start())
                await send({"type": "http.response.body"})
                return
            with self.services.open_downloads.one_more(rates_of(scope).address):
                await self._send_bytes(mp3.object_key, answer, answer.selected, send)

    async def _send_bytes(self, key: ObjectKey, answer: LinkAnswer, selected: ByteSlice, send: Send) -> None:
        missing_bytes = selected.length
        blocks = await self.services.read_recording(key, selected.start, selected.stop)
        async with aclosing(blocks):
            await send(answer.start())
            async for block in blocks:
                missing_bytes -= len(block)
                await send({"type": "http.response.body", "body": block, "more_body": missing_bytes > 0})


class _Sent(Response):
    """Lets FastAPI run an ASGI application as the response of a route."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _fields(mp3: StoredMp3) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "ETag": etag(mp3.sha256),
        "Repr-Digest": repr_digest(mp3.sha256),
        "Last-Modified": http_date(mp3.ready_at),
        "Content-Disposition": content_disposition(mp3.download_name, inline=True),
        "Cache-Control": "private, no-cache",  # a cache must ask again: the recording may have been deleted
    }
