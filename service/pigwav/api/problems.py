"""ONE table from errors to HTTP. Problem documents are RFC 9457; `code` is stable; a 5xx says nothing of the inside."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from pigwav import errors
from pigwav.errors import InvalidRequest, PigWavError
from pigwav.telemetry.logs import log

PROBLEM_JSON: Final = "application/problem+json"

STATUS: Final[Mapping[type[PigWavError], int]] = {
    errors.MalformedHttp: 400,
    errors.MalformedMultipart: 400,
    errors.InvalidIdempotencyKey: 400,
    errors.UploadBroken: 400,
    errors.NotAuthenticated: 401,
    errors.RegistrationClosed: 403,
    errors.QuotaExceeded: 403,
    errors.RecordingNotFound: 404,
    errors.HeadTooSlow: 408,
    errors.UploadIdle: 408,
    errors.NameTaken: 409,
    errors.UploadInProgress: 409,
    errors.PreconditionFailed: 412,
    errors.UploadTooLarge: 413,
    errors.NotAWav: 415,
    errors.UnsupportedContainer: 415,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.BadAudio: 422,
    errors.BadRequest: 422,
    errors.RateLimited: 429,
    errors.HeadTooLarge: 431,
    errors.ObjectMissing: 500,
    errors.ObjectChanged: 500,
    errors.Overloaded: 503,
    errors.ShuttingDown: 503,
    errors.UploadOvertaken: 503,
    errors.Unavailable: 503,
    errors.StorageFull: 507,
}
"""An error has the status of its nearest ancestor here; what has none is a 500."""

RETRY_AFTER_S: Final[Mapping[int, int]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: 5,
    HTTPStatus.INSUFFICIENT_STORAGE: 10,
}
RETRY_OF_AN_OPEN_UPLOAD_AFTER_S: Final = 20
"""A client that comes four times outlasts the lease of an upload whose process died, by default a minute."""
INTERNAL_ERROR: Final = ("internal-error", "Something went wrong on the server.")


class Problem(JSONResponse):
    media_type = PROBLEM_JSON


def problem(status: int, code: str, title: str, detail: str | None = None, **more: Any) -> Problem:
    """`type` names the kind of problem for ever; `detail` is about this one."""
    document = {"type": f"urn:pigwav:problem:{code}", "title": title, "status": status, "code": code}
    document |= {"detail": detail} if detail and detail != title else {}
    return Problem(document | more, status, headers=_headers(status))


def internal_error() -> Problem:
    return problem(500, *INTERNAL_ERROR)


def answer_for(error: PigWavError, **more: Any) -> Problem:
    status = status_of(type(error))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_error()
    detail = None if status >= HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    answer = problem(status, error.code, error.title(), detail, **more)
    match error:
        case errors.RateLimited():
            answer.headers["Retry-After"] = str(error.retry_after_s)
        case errors.UploadInProgress():
            answer.headers["Retry-After"] = str(RETRY_OF_AN_OPEN_UPLOAD_AFTER_S)
    return answer


def status_of(kind: type[PigWavError]) -> int:
    return next((STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS), 500)


def add_handlers(app: FastAPI) -> None:
    """Every error that a route may raise leaves as a problem document; for what nobody foresaw see LastResort."""
    app.add_exception_handler(PigWavError, _named)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _named(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    assert isinstance(error, PigWavError)  # noqa: S101 - registered for nothing else
    if isinstance(error, errors.Unavailable):
        log.warning(
            "part_unavailable", code=error.code, detail=str(error), cause=type(error.__cause__).__name__
        )
    return answer_for(error)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"at": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    listed = "; ".join(f"{e['at']}: {e['message']}" for e in found)
    invalid = InvalidRequest(f"The request does not fit: {listed}.")
    return answer_for(invalid, errors=found)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such route, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return await _named(request, InvalidRequest(str(error.detail)))
    phrase = HTTPStatus(error.status_code).phrase
    answer = problem(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = _allowed(request) or answer.headers["Allow"]
    return answer


def _allowed(request: Request) -> str:
    """All methods of this path: the framework names only those of the first of its routes (RFC 9110 15.5.6)."""
    path = getattr(request.scope.get("route"), "path", "")
    operations = request.app.openapi()["paths"].get(path, {})
    return ", ".join(sorted(method.upper() for method in operations))


def _headers(status: int) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="pigwav"'}
    return {"Retry-After": str(RETRY_AFTER_S[status])} if status in RETRY_AFTER_S else {}
