"""A recording's waveform, to draw it: in the formats of BBC's audiowaveform, which peaks.js and wavesurfer.js read."""

import json
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pigwav.api.deps import ServicesDep
from pigwav.api.openapi import problems
from pigwav.api.representations import representation
from pigwav.api.routes import WAVEFORM_DAT, WAVEFORM_JSON
from pigwav.audio.waveform import Waveform
from pigwav.domain import LARGEST_USER_ID, RecordingId, UserId
from pigwav.errors import (
    DatabaseUnavailable,
    InvalidRequest,
    Overloaded,
    PreconditionFailed,
    RecordingNotFound,
    WaveformMissing,
)

router = APIRouter(tags=["link"])

UserQuery = Annotated[int, Query(ge=1, le=LARGEST_USER_ID, description="The owner's user id.")]

DAT: Final = "application/octet-stream"
_ERRORS: Final = problems(
    RecordingNotFound, WaveformMissing, PreconditionFailed, InvalidRequest, Overloaded, DatabaseUnavailable
)
_NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "Not modified: the client's copy is current."}
}


@router.head(WAVEFORM_DAT, include_in_schema=False)
@router.get(
    WAVEFORM_DAT,
    response_class=Response,
    responses={
        **_ERRORS,
        **_NOT_MODIFIED,
        200: {"content": {DAT: {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def waveform_dat(
    request: Request, services: ServicesDep, recording_id: UUID, user: UserQuery
) -> Response:
    """The waveform as audiowaveform's `.dat`, version 2, 8 bits: at most 4,096 pairs of lowest and highest sample."""
    recording, waveform = await services.read_waveform(RecordingId(recording_id), UserId(user))
    return representation(request, recording, waveform.dat(), DAT)


@router.head(WAVEFORM_JSON, include_in_schema=False)
@router.get(WAVEFORM_JSON, response_class=Response, responses={**_ERRORS, **_NOT_MODIFIED})
async def waveform_json(
    request: Request, services: ServicesDep, recording_id: UUID, user: UserQuery
) -> Response:
    """The same in audiowaveform's JSON format."""
    recording, waveform = await services.read_waveform(RecordingId(recording_id), UserId(user))
    return representation(request, recording, _json(waveform), "application/json")


def _json(waveform: Waveform) -> bytes:
    document = {
        "version": 2,
        "channels": 1,
        "sample_rate": waveform.sample_rate_hz,
        "samples_per_pixel": waveform.samples_per_point,
        "bits": 8,
        "length": len(waveform.pairs),
        "data": waveform.pairs.reshape(-1).tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()
