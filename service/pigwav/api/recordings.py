"""The caller's own recordings: list, show, rename, delete."""

from base64 import b64encode
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request

from pigwav.api.body import BODY_ERRORS, json_body
from pigwav.api.cursors import cursor_to, position_of
from pigwav.api.deps import CallerDep, ServicesDep, described
from pigwav.api.openapi import problems
from pigwav.api.routes import RECORD, RECORDS
from pigwav.api.schemas import RecordingOut, RecordingsOut, TitleIn
from pigwav.domain import MAX_TITLE_CHARS, RecordingId
from pigwav.errors import (
    DatabaseUnavailable,
    InvalidField,
    InvalidRequest,
    NotAuthenticated,
    Overloaded,
    RecordingNotFound,
)

router = APIRouter(tags=["recordings"])

_ONE_RECORDING_ERRORS: Final = problems(
    NotAuthenticated, RecordingNotFound, InvalidRequest, InvalidField, DatabaseUnavailable, Overloaded
)
_SEARCH: Final = (
    "Only recordings whose titles have all these words, without regard to case and accents. The last word may be the "
    f"beginning of one. At most {MAX_TITLE_CHARS} characters."
)
_TITLE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": TitleIn.model_json_schema()}},
    }
}


@router.get(
    RECORDS,
    responses=problems(NotAuthenticated, InvalidRequest, InvalidField, DatabaseUnavailable, Overloaded),
)
async def list_recordings(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=200, description="Recordings per page.")] = 50,
    cursor: Annotated[
        str | None, Query(description="The `next` of the previous page.", max_length=200)
    ] = None,
    peaks: Annotated[bool, Query(description="Add `peaks` to each recording.")] = False,  # noqa: FBT002 - a query
    q: Annotated[str | None, Query(description=_SEARCH)] = None,
) -> RecordingsOut:
    """The caller's recordings, newest first."""
    before = position_of(cursor) if cursor else None
    page = await services.list_recordings(caller.id, limit=limit, before=before, overviews=peaks, sought=q)
    items = [
        described(request, recording, peaks=_base64(page.overviews.get(recording.id)))
        for recording in page.items
    ]
    return RecordingsOut(items=items, next=cursor_to(page.next) if page.next else None)


def _base64(overview: bytes | None) -> str | None:
    return None if overview is None else b64encode(overview).decode("ascii")


@router.get(RECORD, responses=_ONE_RECORDING_ERRORS)
async def show_recording(
    request: Request, recording_id: UUID, caller: CallerDep, services: ServicesDep
) -> RecordingOut:
    """One of the caller's recordings, with everything that is known about it."""
    recording = await services.find_recording(RecordingId(recording_id), caller.id)
    return described(request, recording)


@router.patch(
    RECORD, openapi_extra=_TITLE_BODY, responses={**_ONE_RECORDING_ERRORS, **problems(*BODY_ERRORS)}
)
async def rename_recording(
    request: Request, recording_id: UUID, caller: CallerDep, services: ServicesDep
) -> RecordingOut:
    """Change a recording's title, and with it the file name of its download. The MP3 does not change."""
    change = await json_body(request, services.settings.limits, TitleIn)
    recording = await services.rename_recording(RecordingId(recording_id), caller.id, change.title)
    return described(request, recording)


@router.delete(RECORD, status_code=204, responses=_ONE_RECORDING_ERRORS)
async def delete_recording(recording_id: UUID, caller: CallerDep, services: ServicesDep) -> None:
    """Delete a recording. Its link answers 404 at once; its bytes are removed within minutes."""
    await services.delete_recording(RecordingId(recording_id), caller.id)
