"""Answers links without FastAPI, whose routing and dependencies cost much of what a small download costs."""

import re
from typing import Final
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from pigwav.api import link, routes
from pigwav.api.link import SendMp3
from pigwav.domain import RecordingId, UserId
from pigwav.wiring import Services

_ID: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_USER: Final = "[1-9][0-9]{0,17}"
_QUERY: Final = re.compile(f"id=({_ID})&user=({_USER})".encode())
_MP3_PATH: Final = re.compile(re.escape(routes.LINK_MP3).replace(r"\{recording_id\}", f"({_ID})"))
_MP3_QUERY: Final = re.compile(f"user=({_USER})".encode())


class AnswerLinks:
    """Answers GET and HEAD of a link in the form in which the service makes it. FastAPI answers everything else: other
    forms, and parameters that are invalid. It also answers links if it records telemetry of its own (OpenTelemetry).
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._routes = {getattr(route, "path", ""): route for route in link.router.routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        asked = asked_of(scope) if answers and "fastapi.telemetry" not in scope else None
        if asked is None:
            await self._app(scope, receive, send)
        else:
            path, recording, user = asked
            scope["route"] = self._routes[path]  # for the log line and the metrics
            await SendMp3(self._services, recording, user)(scope, receive, send)


def asked_of(scope: Scope) -> tuple[str, RecordingId, UserId] | None:
    """The route's path, the recording and the user of a link in the usual form; None of any other request."""
    path, query = routes.path_of(scope), scope["query_string"]
    if path == routes.LINK:
        if found := _QUERY.fullmatch(query):
            return path, _recording(found[1].decode()), UserId(int(found[2]))
    elif (named := _MP3_PATH.fullmatch(path)) and (found := _MP3_QUERY.fullmatch(query)):
        return routes.LINK_MP3, _recording(named[1]), UserId(int(found[1]))
    return None


def _recording(text: str) -> RecordingId:
    return RecordingId(UUID(text))
