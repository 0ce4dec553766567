"""Security headers of every answer. A browser must not guess its type, run anything in it, or store it.

The proxy that terminates TLS must add `Strict-Transport-Security`: PigWav does not speak TLS.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api.routes import LINK, path_of

_CONTENT_SECURITY_POLICY: Final = "Content-Security-Policy"
_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    _CONTENT_SECURITY_POLICY: f"{_NOTHING}; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer; a route may set other values."""

_LINK_HEADERS: Final[Mapping[str, str]] = {
    **SECURITY_HEADERS,
    # If a browser opens the link itself, it shows its own page with a player, which has an inline style and loads
    # the same link.
    _CONTENT_SECURITY_POLICY: f"{_NOTHING}; media-src 'self'; style-src 'unsafe-inline'",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Any page may play a recording: `<audio src=link>`. Errors and 304 have these headers, too: a browser replaces the
headers of its cached answer with those of a 304.
"""

_ASSET_HEADERS: Final[Mapping[str, str]] = {**SECURITY_HEADERS, "Cache-Control": "no-cache"}
"""An asset is the same for every client, so a browser may store it; it asks by ETag whether the asset has changed."""

PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-cache",
    _CONTENT_SECURITY_POLICY: f"{SECURITY_HEADERS[_CONTENT_SECURITY_POLICY]}; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; img-src 'self'; worker-src 'self'; manifest-src 'self'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
"""Our page and its files: a worker has the policy of its script. `blob:` is a recording that is not sent yet."""

CARD_HEADERS: Final[Mapping[str, str]] = {"Cross-Origin-Resource-Policy": "cross-origin"}
"""A recording's picture, which messengers show in pages of their own."""


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


_RAW_HEADERS: Final = _raw(SECURITY_HEADERS)
_RAW_LINK_HEADERS: Final = _raw(_LINK_HEADERS)
_RAW_ASSET_HEADERS: Final = _raw(_ASSET_HEADERS)


def policy_for(script_hashes: list[str]) -> str:
    """The Content-Security-Policy of our own pages: allows our files and inline scripts with these hashes (CSP 3)."""
    scripts = " ".join(["'self'", *(f"'{one}'" for one in script_hashes)])
    return (
        f"{SECURITY_HEADERS[_CONTENT_SECURITY_POLICY]}; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; media-src 'self' blob:"
    )


class SecurityHeaders:
    """Adds the headers that the answer does not have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if path == LINK or path.startswith(f"{LINK}/"):
            safe = _RAW_LINK_HEADERS
        else:
            safe = _RAW_ASSET_HEADERS if path.startswith("/docs/assets/") else _RAW_HEADERS

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"]]
                present = {name for name, _ in headers}
                message["headers"] = headers + [field for field in safe if field[0] not in present]
            await send(message)

        await self._app(scope, receive, send_safe)
