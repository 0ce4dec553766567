"""`POST /records`: a WAV as a form or as a raw body, converted while it arrives."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from fastapi import APIRouter, Request, Response

from pigwav.api import idempotency
from pigwav.api.body import BODY_ERRORS, body_blocks
from pigwav.api.connections.client_presence import presence_of
from pigwav.api.deps import RatesDep, ServicesDep, TokenDep, described
from pigwav.api.incoming_upload import read_incoming
from pigwav.api.openapi import problems
from pigwav.api.routes import RECORDS
from pigwav.api.schemas import RecordingOut
from pigwav.api.upload_description import UPLOAD
from pigwav.errors import (
    BadAudio,
    BadRequest,
    NotAuthenticated,
    Overloaded,
    PigWavError,
    QuotaExceeded,
    RecordingNotFound,
    ShuttingDown,
    SoundRefused,
    Unavailable,
    UploadInProgress,
    UploadSuperseded,
)
from pigwav.wiring import Services

router = APIRouter(tags=["recordings"])


@router.post(
    RECORDS,
    status_code=201,
    openapi_extra=UPLOAD,
    responses={
        **problems(
            BadAudio,
            BadRequest,
            *BODY_ERRORS,
            NotAuthenticated,
            QuotaExceeded,
            RecordingNotFound,
            SoundRefused,
            UploadInProgress,
            Overloaded,
            ShuttingDown,
            UploadSuperseded,
            Unavailable,
        ),
        201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The link."}}},
    },
)
async def upload(
    request: Request, response: Response, services: ServicesDep, rates: RatesDep, token: TokenDep
) -> RecordingOut:
    """Convert a WAV to MP3 and store it. The answer contains the recording's link.

    A form contains the WAV as `file`, and optionally `title`, `bitrate` and `strict`. A raw body is the WAV itself.
    Send the token as a Bearer token, optionally with `user`, or in a form as `token` together with `user_id`. If a
    value is sent twice, both must agree.

    The recording is playable when the answer arrives. Nothing is left of an upload that failed. With an
    `Idempotency-Key`, an upload can be repeated without creating a second recording.
    """
    with _counted(services), presence_of(request.scope).required():
        declared = request.headers.get("content-length", "")
        body_bytes = int(declared) if declared.isdecimal() else None
        services.admission.at_head(declared_bytes=body_bytes)
        async with aclosing(body_blocks(request, services.settings.limits)) as blocks:
            incoming = await read_incoming(request, services, token, blocks)
            with services.admission.for_user(incoming.user, rates):
                recording = await services.add_recording(
                    incoming.user.id,
                    incoming.wav,
                    titles=incoming.titles,
                    bitrate_kbps=incoming.bitrate_kbps,
                    strict=incoming.strict,
                    max_wav_bytes=body_bytes,
                    clients=(rates.address, incoming.user.id),
                    idempotency_key=idempotency.idempotency_key(
                        request.headers, filename=incoming.filename, strict=incoming.strict
                    ),
                )
    answer = described(request, recording)
    response.headers["Location"] = answer.url
    return answer


@contextmanager
def _counted(services: Services) -> Iterator[None]:
    """Counts the upload's outcome in the metrics. The server cancels a request only when the grace period is over. When
    the cancellation arrives here, the upload has already cleaned up.
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
