"""The page for browsers: `/`, its files, and the page on which a recording is listened to.

The files are read once and held in memory: about 160 KB. Their headers allow a browser to run these files only, and to
send requests to this service only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Annotated, Final, Self

from fastapi import FastAPI, Query, Request, Response
from fastapi.routing import APIRoute, APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Match
from starlette.types import Scope

from pigwav.api import card, page_query
from pigwav.api.deps import ServicesDep, card_address, listening_page, mp3_path, public_address
from pigwav.api.headers import etag
from pigwav.api.routes import INDEX, LISTEN, PAGE_FILES, path_of
from pigwav.api.security_headers import PAGE_HEADERS
from pigwav.audio.card import HEIGHT_PX, WIDTH_PX
from pigwav.domain import Recording
from pigwav.errors import RecordingNotFound

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def add_page(app: FastAPI) -> None:
    """Adds the page, its files and the cards of recordings."""
    app.include_router(_router(PageFiles.read()), include_in_schema=False)
    app.include_router(card.router, include_in_schema=False)


@dataclass(frozen=True)
class PageFiles:
    """`templates`: the HTML files. `served`: all others, by their path under `PAGE_FILES`."""

    templates: Mapping[str, Template]
    served: Mapping[str, bytes]

    @classmethod
    def read(cls) -> Self:
        found = dict(_files_in(files("pigwav") / "page"))
        html = {path: Template(body.decode()) for path, body in found.items() if path.endswith(".html")}
        return cls(html, {path: body for path, body in found.items() if _suffix(path) in _TYPES})

    @property
    def icons(self) -> str:
        return self.served["icons.svg"].decode()

    def html(self, name: str, request: Request, **texts: str) -> bytes:
        """A template with its `$names` filled in. `texts` are escaped for use in elements and quoted attributes."""
        root = request.scope.get("root_path", "")
        return (
            self.templates[name]
            .substitute({key: escape(text) for key, text in texts.items()}, root=root, icons=self.icons)
            .encode()
        )


def _files_in(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files_in(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _suffix(path: str) -> str:
    return path[path.rfind(".") :]


class ForBrowsers(APIRoute):
    """Matches only requests that prefer HTML, as browsers do. To all others, the route does not exist."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and path_of(scope) == "":  # the path prefix without a slash at its end
            scope = {**scope, "path": f"{scope['path']}/"}
        match, child = super().matches(scope)
        return (match, child) if match is Match.FULL and accepts_html(scope) else (Match.NONE, {})


def accepts_html(scope: Scope) -> bool:
    """Whether the request's Accept names HTML. `*/*` does not: that is what programs send."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    ranges = ([part.strip().lower() for part in one.split(";")] for one in accepted.split(","))
    return any(kind == "text/html" and not _is_refused(parameters) for kind, *parameters in ranges)


def _is_refused(parameters: list[str]) -> bool:
    return any(name.startswith("q=") and not name[2:].strip("0.") for name in parameters)


def _router(page: PageFiles) -> APIRouter:
    router = APIRouter()
    for_browsers = APIRouter(route_class=ForBrowsers)

    @for_browsers.api_route(INDEX, methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        answer = _cached(request, page.html("index.html", request), "text/html; charset=utf-8")
        answer.headers["Vary"] = "Accept"
        return answer

    @router.api_route(f"{PAGE_FILES}/{{path:path}}", methods=["GET", "HEAD"])
    async def file(request: Request, path: str) -> Response:
        if path not in page.served:
            raise HTTPException(404)
        return _cached(request, page.served[path], _TYPES[_suffix(path)])

    @router.api_route(LISTEN, methods=["GET", "HEAD"])
    async def listen(
        request: Request,
        services: ServicesDep,
        recording_id: Annotated[str, Query(alias="id")] = "",
        user: str = "",
        begin_s: Annotated[str, Query(alias="t")] = "",
    ) -> Response:
        try:
            recording = await services.find_recording(
                page_query.recording_id(recording_id), page_query.user_id(user)
            )
        except RecordingNotFound:
            return HTMLResponse(page.html("not-found.html", request), 404, PAGE_HEADERS)
        texts = _texts_of(recording, request, begin_s=page_query.seconds(begin_s))
        return HTMLResponse(page.html("listen.html", request, **texts), headers=PAGE_HEADERS)

    router.include_router(for_browsers)
    return router


def _cached(request: Request, body: bytes, media_type: str) -> Response:
    """A browser keeps the body, and asks by its ETag whether it has changed."""
    headers = {**PAGE_HEADERS, "ETag": etag(sha256(body).digest())}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "Content-Type": media_type})


def _texts_of(recording: Recording, request: Request, *, begin_s: str) -> dict[str, str]:
    """The texts of the listening page."""
    # The page's policy allows audio only from the address at which the page was opened.
    audio = request.scope.get("root_path", "") + mp3_path(recording)
    facts = {
        "id": str(recording.id),
        "user": recording.user_id,
        "title": recording.title,
        "created_at": recording.ready_at.isoformat(),
        "duration_ms": recording.facts.audio.duration_ms,
        "bytes": recording.facts.size_bytes,
    }
    return {
        "title": recording.title or "Recording",
        "description": f"{_clock(recording.facts.audio.duration_ms)} · {recording.ready_at:%Y-%m-%d}",
        "seconds": str(recording.facts.audio.duration_ms // 1000),
        "address": listening_page(request, recording),
        "image": card_address(request, recording),
        "image_width": str(WIDTH_PX),
        "image_height": str(HEIGHT_PX),
        "public_audio": public_address(request) + mp3_path(recording),
        "audio": audio,
        "player": f"{audio}#t={begin_s}" if begin_s else audio,
        "recording": json.dumps(facts),
    }


def _clock(duration_ms: int) -> str:
    minutes, seconds = divmod(duration_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
