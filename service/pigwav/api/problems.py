"""The one table from errors to HTTP. Problem documents are RFC 9457; `code` is stable; a 5xx reveals no internals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from pigwav import errors
from pigwav.api.listeners import is_for_operators
from pigwav.errors import InvalidRequest, PigWavError
from pigwav.telemetry.logs import log

PROBLEM_JSON: Final = "application/problem+json"

RETRY_OF_AN_OPEN_UPLOAD_AFTER_S: Final = 20
"""Four tries at this interval outlast the lease (by default a minute) of an upload whose process died."""


@dataclass(frozen=True)
class Header:
    """A header of an error's answer, with its OpenAPI description and a function that computes its value."""

    name: str
    description: str
    value: Callable[[Any], str]  # Any: the error of this row of the table


@dataclass(frozen=True)
class Answer:
    """How an error is answered. `members`: attributes of the error that the document has unless they are None."""

    status: int
    headers: tuple[Header, ...] = ()
    members: tuple[str, ...] = ()


def _retry_after(seconds: int, description: str = "Seconds to wait before a retry: {}.") -> Header:
    return Header("Retry-After", description.format(seconds), lambda _: str(seconds))


_SOON: Final = (_retry_after(5),)

ANSWERS: Final[Mapping[type[PigWavError], Answer]] = {
    errors.MalformedHttp: Answer(400),
    errors.MalformedMultipart: Answer(400),
    errors.InvalidIdempotencyKey: Answer(400),
    errors.UploadBroken: Answer(400),
    errors.NotAuthenticated: Answer(
        401, (Header("WWW-Authenticate", "Bearer", lambda _: 'Bearer realm="pigwav"'),)
    ),
    errors.RegistrationClosed: Answer(403),
    errors.QuotaExceeded: Answer(403),
    errors.RecordingNotFound: Answer(404),
    errors.WaveformMissing: Answer(404),
    errors.HeadTooSlow: Answer(408),
    errors.UploadIdle: Answer(408),
    errors.NameTaken: Answer(409),
    errors.UploadInProgress: Answer(
        409,
        (
            _retry_after(
                RETRY_OF_AN_OPEN_UPLOAD_AFTER_S,
                "Seconds to wait before a retry; only with `upload-in-progress`.",
            ),
        ),
    ),
    errors.LengthRequired: Answer(411),
    errors.PreconditionFailed: Answer(412),
    errors.UploadTooLarge: Answer(413),
    errors.ForeignBody: Answer(415, members=("found",)),
    errors.UnsupportedMediaType: Answer(415, members=("found",)),
    errors.UnsupportedContentEncoding: Answer(
        415,
        (
            Header(
                "Accept-Encoding", "The codings that are accepted: RFC 9110 15.5.16.", lambda _: "identity"
            ),
        ),
    ),
    errors.RangeNotSatisfiable: Answer(
        416, (Header("Content-Range", "The recording's size.", lambda error: f"bytes */{error.size_bytes}"),)
    ),
    errors.BadAudio: Answer(422),
    errors.SoundRefused: Answer(422, members=("warnings",)),
    errors.BadRequest: Answer(422),
    errors.InvalidRequest: Answer(422, members=("errors",)),
    errors.RateLimited: Answer(
        429,
        (Header("Retry-After", "Seconds to wait before a retry.", lambda error: str(error.retry_after_s)),),
    ),
    errors.HeadTooLarge: Answer(431),
    errors.Overloaded: Answer(503, _SOON, members=("limit",)),
    errors.ShuttingDown: Answer(503, _SOON),
    errors.UploadSuperseded: Answer(503, _SOON),
    errors.Unavailable: Answer(503, _SOON),
    errors.ObjectMissing: Answer(500),
    errors.ObjectChanged: Answer(500),
    errors.StorageFull: Answer(507, (_retry_after(10),)),
}
"""An error is answered like its nearest ancestor in this table, or with 500 if it has none."""

INTERNAL_ERROR: Final = ("internal-error", "Something went wrong on the server.")
_PROBLEM: Final = "pigwav.problem"


class Problem(JSONResponse):
    """A problem document. It notes itself in the request's scope, so that middleware can read it (`problem_of`)."""

    media_type = PROBLEM_JSON

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str | None = None,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`code` also makes the document's `type`; both are stable. `detail` describes this occurrence."""
        document = {"type": f"urn:pigwav:problem:{code}", "title": title, "status": status, "code": code}
        document |= {"detail": detail} if detail and detail != title else {}
        self.code = code
        self.limit: str | None = None
        super().__init__(document | dict(members or {}), status, dict(headers or {}))

    def log_fields(self) -> dict[str, str]:
        """The problem's fields in the request's log line."""
        return {"code": self.code} | ({"limit": self.limit} if self.limit else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_PROBLEM] = self
        await super().__call__(scope, receive, send)


def problem_of(scope: Scope) -> Problem | None:
    """The problem that answered the request; None if none did."""
    found: Problem | None = scope.get(_PROBLEM)
    return found


def internal_error() -> Problem:
    return Problem(500, *INTERNAL_ERROR)


def not_found() -> Problem:
    """The answer to a path that does not exist, the same as the framework's."""
    return _of_status(HTTPStatus.NOT_FOUND)


def answer_for(error: PigWavError, *, for_operators: bool = False) -> Problem:
    """`for_operators`: the `detail` of a 503 is told, too. It may name hosts, and the revision of the schema."""
    answer = answer_to(type(error))
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_error()
    members = {name: getattr(error, name) for name in answer.members}
    problem = Problem(
        answer.status,
        error.code,
        error.title(),
        detail=str(error) if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR or for_operators else None,
        members={name: value for name, value in members.items() if value is not None},
        headers={header.name: header.value(error) for header in answer.headers},
    )
    problem.limit = members.get("limit")
    return problem


def _of_status(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Problem:
    return Problem(status, status.phrase.lower().replace(" ", "-"), status.phrase, headers=headers)


def answer_to(kind: type[PigWavError]) -> Answer:
    """The row of the table for errors of this kind."""
    return next((ANSWERS[ancestor] for ancestor in kind.__mro__ if ancestor in ANSWERS), Answer(500))


def status_of(kind: type[PigWavError]) -> int:
    return answer_to(kind).status


def add_handlers(app: FastAPI) -> None:
    """A problem document answers every error that a route may raise. CatchUnexpectedErrors answers all others."""
    app.add_exception_handler(PigWavError, _named)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _named(request: Request, error: Exception) -> Response:
    assert isinstance(error, PigWavError)  # noqa: S101 - registered for nothing else
    return answer_in(request.scope, error)


def answer_in(scope: Scope, error: PigWavError) -> Problem:
    """The answer to the request of this scope. If the database or the store is not available, logs why."""
    if isinstance(error, errors.Unavailable):
        log.warning(
            "dependency_unavailable", code=error.code, detail=str(error), cause=type(error.__cause__).__name__
        )
    return answer_for(error, for_operators=is_for_operators(scope))


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"at": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    listed = "; ".join(f"{e['at']}: {e['message']}" for e in found)
    return answer_for(InvalidRequest(f"The request is invalid: {listed}.", errors=found))


async def _http(request: Request, error: Exception) -> Response:
    """Answers refusals by the framework itself: an unknown route, an unsupported method, a body that is not JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return answer_for(InvalidRequest(str(error.detail)))
    answer = _of_status(HTTPStatus(error.status_code), error.headers)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110 15.5.6 requires all methods of the path. The framework names only those of its first route.
        path = getattr(request.scope.get("route"), "path", "")
        methods = request.app.openapi()["paths"].get(path, {})
        answer.headers["Allow"] = ", ".join(sorted(map(str.upper, methods))) or answer.headers["Allow"]
    return answer
