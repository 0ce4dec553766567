"""Answers errors that no handler of FastAPI answers, and requests that the stopping server cancels."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api.problems import Problem, answer_for, answer_in, internal_error
from pigwav.errors import PigWavError, ShuttingDown
from pigwav.telemetry.logs import log


class CatchUnexpectedErrors:
    """Answers an unexpected error with a 500 without details, and logs its traceback in one line. This middleware is
    the innermost one, so that the others also count its answers, drain the request's body and add their headers.
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
            await answer_for(ShuttingDown())(scope, receive, send)  # cancelled only after the grace period
        except Exception as error:
            # Starlette makes another error of one that is raised after the response has started.
            named = error if isinstance(error, PigWavError) else error.__cause__
            if not started and scope["type"] == "http":
                await _answer_to(error, scope)(scope, receive, send)
            elif isinstance(named, PigWavError):
                # The store failed in the middle of a download. When we return here, uvicorn closes the connection,
                # and the client sees that bytes are missing.
                log.warning("download_interrupted", code=named.code)
            else:
                raise


def _answer_to(error: Exception, scope: Scope) -> Problem:
    if isinstance(error, PigWavError):
        return answer_in(scope, error)
    log.error("unexpected_error", exc_info=error)
    return internal_error()
