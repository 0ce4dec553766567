"""Reads the rest of a request's body if the answer comes before its end, so that the client receives the answer."""

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class DrainRequestBody:
    """Reads and drops the rest of a body, up to a limit, when the answer comes before the body's end.

    If the connection were closed at once, it would be reset, and the client would see a broken pipe instead of the
    answer. We read for FIRST_S before the answer; if the body ends by then, the connection stays open. We read the
    rest after the answer, so that a client that reads while it sends gets the answer at once. We do not wait for a
    client that sends nothing (it waits for `100 Continue`, for example), nor if the stopping server has cancelled
    the request.
    """

    FIRST_S: Final = 0.1
    LIMIT_BYTES: Final = 1024**3
    LIMIT_S: Final = 10.0

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
                    rest_to_come = may_come and not await body.drain(self.LIMIT_BYTES, self.FIRST_S)
                    if rest_to_come or not may_come:
                        MutableHeaders(scope=message)["Connection"] = "close"
            elif rest_to_come and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await body.drain(self.LIMIT_BYTES, self.LIMIT_S)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, body.receive, send_and_drain)


class _Body:
    """A request's `receive` that records whether the body has begun and whether it has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.begun = False
        self.ended = False

    async def receive(self) -> Message:
        self.begun = True
        message = await self._receive()
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self, limit_bytes: int, limit_s: float) -> bool:
        """Read and discard the rest of the body. False if it is longer than a limit or the server cancels us."""
        drained_bytes = 0
        try:
            async with asyncio.timeout(limit_s):
                while not self.ended and drained_bytes < limit_bytes:
                    drained_bytes += len((await self.receive()).get("body", b""))
        except (TimeoutError, asyncio.CancelledError):
            return False
        return self.ended


def _is_cut_off() -> bool:
    """Whether the server has cancelled this request. It is answered nevertheless."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
