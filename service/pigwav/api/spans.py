"""Hides links in FastAPI's spans (OpenTelemetry, the extra `otel`), which contain a request's path and query."""

import re
from typing import Final

from opentelemetry import trace
from starlette.types import ASGIApp, Receive, Scope, Send

_RECORDING_ID: Final = re.compile(r"[0-9A-Fa-f][0-9A-Fa-f-]{31,}")
_HIDDEN: Final = "REDACTED"  # the word that OpenTelemetry's conventions for HTTP spans ask for


class PrivateSpans:
    """Redacts recording ids and the query: a span shows the route, but neither the recording nor its user."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = trace.get_current_span()
        if scope["type"] == "http" and span.is_recording():
            span.set_attribute("url.path", _RECORDING_ID.sub(_HIDDEN, scope["path"]))
            if scope["query_string"]:
                span.set_attribute("url.query", _HIDDEN)
        await self._app(scope, receive, send)
