"""An id, a log line and metrics for every request. Plain ASGI, so that streams pass through untouched."""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api.problems import problem_of
from pigwav.api.routes import MONITORING
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id (the client's X-Request-ID if it consists of safe characters), one log line and metrics.

    If a problem answers the request, the log line has its `code`, and for `overloaded` its `limit`. A request for
    monitoring is logged only if a problem answers it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        began_s = time.perf_counter()
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            self._note(scope, status, time.perf_counter() - began_s)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        self._metrics.http_requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.http_seconds.labels(scope["method"], route).observe(seconds)
        problem = problem_of(scope)
        if problem and problem.limit:
            self._metrics.overloaded.labels(problem.limit).inc()
        if problem or route not in MONITORING:
            log.info(
                "request",
                method=scope["method"],
                route=route,  # not the path or the query: a link's are the link itself
                status=status,
                duration_ms=round(seconds * 1000),
                **(problem.log_fields() if problem else {}),
            )
