"""What happens around every request: an id, a log line, metrics, and refusals that arrive.

Plain ASGI, so that streams pass through untouched.
"""

import asyncio
import re
import time
from http import HTTPStatus
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api.problems import answer_for, internal_error, problem_of
from pigwav.api.routes import MONITORING
from pigwav.errors import PigWavError, ShuttingDown
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id (the caller's X-Request-ID if it is harmless), one log line and its metrics.

    The log line of a problem has its `code`, that of `overloaded` its `limit`, too. A request of monitoring has a line
    only if a problem answers it.
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
                route=route,  # not the path or query: those make the link
                status=status,
                duration_ms=round(seconds * 1000),
                **(problem.log_fields() if problem else {}),
            )


class LastResort:
    """What nobody foresaw becomes a 500 that tells nothing, and one log line that tells all. Innermost, so that such
    an answer is counted, drained and headed like any other.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except asyncio.CancelledError:
            if started or scope["type"] != "http":
                raise
            await answer_for(ShuttingDown())(scope, receive, send)  # its one reason: the grace is over
        except Exception as error:
            if not started and scope["type"] == "http":
                log.error("unexpected_error", exc_info=error)
                await internal_error()(scope, receive, send)
            elif isinstance(error.__cause__, PigWavError):
                # The store broke in the middle of a download. Ending here, uvicorn closes the connection, and the
                # listener sees that bytes are missing.
                log.warning("answer_broke_off", code=error.__cause__.code)
            else:
                raise


class DrainedRefusals:
    """An answer in the middle of a body is lost where the connection is closed behind it: that resets it, and the
    client sees a broken pipe. So the rest of the body is read away, up to a bound: a little before the answer, which
    keeps the connection where it suffices, all else behind it, so that who listens while it sends hears it at once. A
    client that sends nothing (it fell silent, or waits for `100 Continue`) and one whom a stopping server cuts off
    are not waited for.
    """

    FIRST_S: Final = 0.1
    MOST_BYTES: Final = 1024**3
    MOST_S: Final = 10.0

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        waits = Headers(scope=scope).get("expect", "").lower() == "100-continue"
        rest_to_come = False

        async def send_and_drain(message: Message) -> None:
            nonlocal rest_to_come
            if message["type"] == "http.response.start":
                if not body.ended:
                    silent = message["status"] == HTTPStatus.REQUEST_TIMEOUT or (waits and not body.begun)
                    may_come = not silent and not _is_cut_off()
                    rest_to_come = may_come and not await body.drain(self.MOST_BYTES, self.FIRST_S)
                    if rest_to_come or not may_come:
                        MutableHeaders(scope=message)["Connection"] = "close"
            elif rest_to_come and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await body.drain(self.MOST_BYTES, self.MOST_S)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, body.receive, send_and_drain)


class _Body:
    """Watches a request body go by."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.begun = False
        self.ended = False

    async def receive(self) -> Message:
        self.begun = True
        message = await self._receive()
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self, most_bytes: int, most_s: float) -> bool:
        """Read the rest away; False where there was too much of it, or no time: the server is cutting us off."""
        try:
            async with asyncio.timeout(most_s):
                while not self.ended and most_bytes > 0:
                    most_bytes -= len((await self.receive()).get("body", b""))
        except (TimeoutError, asyncio.CancelledError):
            return False
        return self.ended


def _is_cut_off() -> bool:
    """Whether this request was cancelled, and is answered nevertheless."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
