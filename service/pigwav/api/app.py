"""The ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from pigwav.api import health, limits, link, recordings, uploads, users, waveforms
from pigwav.api.answer_links import AnswerLinks
from pigwav.api.docs import add_docs
from pigwav.api.drain_request_body import DrainRequestBody
from pigwav.api.internal_errors import CatchUnexpectedErrors
from pigwav.api.openapi import describe_errors
from pigwav.api.page import add_page
from pigwav.api.problems import add_handlers
from pigwav.api.proxies import PathPrefix, TrustedProxies
from pigwav.api.rate_limits import EnforceRateLimits
from pigwav.api.request_log import RequestLog
from pigwav.api.security_headers import SecurityHeaders
from pigwav.api.separate_listeners import SeparateListeners
from pigwav.api.spans import PrivateSpans
from pigwav.settings import Page
from pigwav.telemetry.logs import log
from pigwav.wiring import Services

_CLEAN_UP_S: Final = 10.0

# The headers that CORS allows scripts of other origins to send and to read.
_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Range",
    "X-Request-ID",
)
_RESPONSE_HEADERS: Final = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "X-Request-ID",
)


def create_app(
    services: Services, *, background: AbstractAsyncContextManager[None], links_by_fastapi: bool = False
) -> FastAPI:
    """Builds the ASGI app from open services; the caller closes them after the app has shut down.

    The app enters `background` at start-up and exits it after the last upload has ended. `links_by_fastapi`: without
    AnswerLinks. The answers are the same; tests and benchmarks compare both.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        services.add_recording.converter.decoders.log_confinement()
        async with background:  # it renews the leases of uploads, so it ends after the last upload
            try:
                yield
            finally:
                await _wait_for_clean_up(services)

    app = FastAPI(
        title="PigWav",
        summary="Recordings in, MP3 out, on your own object storage.",
        version=version("pigwav"),
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would send a form's token again, to an address made from Host
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    for part in (users, uploads, recordings, link, waveforms, limits, health):
        app.include_router(part.router)
    add_handlers(app)
    add_docs(app)
    if services.settings.page is Page.ON:
        add_page(app)
    plain = app.openapi
    app.openapi = lambda: describe_errors(plain())  # type: ignore[method-assign] # FastAPI's documented way
    if not links_by_fastapi:
        app.add_middleware(AnswerLinks, services)
    _add_middleware(app, services)
    return app


async def _wait_for_clean_up(services: Services) -> None:
    """Waits for the clean-up of the uploads that were cancelled at the end of the grace period."""
    try:
        async with asyncio.timeout(_CLEAN_UP_S):
            await services.open_uploads.drained()
    except TimeoutError:
        log.warning("uploads_left_to_sweep")


def _add_middleware(app: FastAPI, services: Services) -> None:
    """The middleware that is added last sees a request first."""
    app.add_middleware(CatchUnexpectedErrors)
    # Inside DrainRequestBody, so that a client receives the 429 even if it is still sending its body.
    app.add_middleware(EnforceRateLimits, services.rate_limits)
    if services.settings.http.operator_bind:
        app.add_middleware(SeparateListeners)
    app.add_middleware(DrainRequestBody)
    if origins := services.settings.http.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins.split(","),
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, metrics=services.metrics)
    app.add_middleware(PrivateSpans)
    http = services.settings.http
    if http.root_path:
        app.add_middleware(PathPrefix, http.root_path)
    app.add_middleware(TrustedProxies, http.trusted_proxies)
