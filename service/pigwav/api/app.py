"""The ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Lifespan

from pigwav.api import health, link, recordings, uploads, users
from pigwav.api.middleware import DrainedRefusals, LastResort, RequestLog, SafeHeaders
from pigwav.api.openapi import describe_errors
from pigwav.api.problems import add_handlers
from pigwav.api.proxies import PathPrefix, TrustedProxies
from pigwav.telemetry.logs import log
from pigwav.wiring import Services

_CLEAN_UP_S: Final = 10.0
_ASSETS: Final = Path(fastapi_offline.__file__).parent / "static"


def create_app(services: Services, *, background: AbstractAsyncContextManager[None]) -> FastAPI:
    """The API over open services; the caller closes them after the app has shut down.

    `background` is entered at start-up and left when the last upload has ended.
    """
    app = FastAPI(
        title="PigWav",
        summary="Recordings in, MP3 out, on your own object storage.",
        version=version("pigwav"),
        lifespan=_lifespan(services, background),
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    for part in (users, uploads, recordings, link, health):
        app.include_router(part.router)
    add_handlers(app)
    _add_docs(app)
    _add_middleware(app, services)
    return app


def _lifespan(services: Services, background: AbstractAsyncContextManager[None]) -> Lifespan[FastAPI]:
    """Background work outlives the last upload: it keeps that upload's lease."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        async with background:
            try:
                yield
            finally:
                await _cleaned_up(services)

    return lifespan


async def _cleaned_up(services: Services) -> None:
    """Uploads that the grace period was too short for have been cancelled; wait until they have cleaned up."""
    try:
        async with asyncio.timeout(_CLEAN_UP_S):
            await services.open_uploads.drained()
    except TimeoutError:
        log.warning("uploads_left_to_sweep")


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The last one added sees a request first."""
    app.add_middleware(LastResort)
    app.add_middleware(DrainedRefusals)
    origins = [origin.strip() for origin in services.settings.http.cors_origins.split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                "If-Range",
                "Range",
                "X-Request-ID",
            ],
            expose_headers=[
                "Accept-Ranges",
                "Content-Disposition",
                "Content-Length",
                "Content-Range",
                "ETag",
                "Location",
                "Repr-Digest",
                "Retry-After",
                "X-Request-ID",
            ],
        )
    app.add_middleware(SafeHeaders)
    app.add_middleware(RequestLog, metrics=services.metrics)
    http = services.settings.http
    if http.root_path:
        app.add_middleware(PathPrefix, http.root_path)
    if http.trusted_proxies:
        app.add_middleware(TrustedProxies, http.trusted_proxies)


def _add_docs(app: FastAPI) -> None:
    """Swagger UI from files that we serve ourselves: it works without the internet."""
    app.mount("/docs/assets", StaticFiles(directory=_ASSETS), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            title=app.title,
            openapi_url=f"{root}/openapi.json",
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
        )

    plain = app.openapi

    def openapi() -> dict[str, Any]:
        return describe_errors(plain())

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document
