"""Header fields of every answer that tell a browser not to sniff its type, not to run it and not to cache it.

PigWav does not speak TLS, so the proxy that does must add `Strict-Transport-Security`.
"""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
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
    # If a link is opened directly, the browser shows its own player, with inline styles, which loads the same link.
    _CONTENT_SECURITY_POLICY: f"{_NOTHING}; media-src 'self'; style-src 'unsafe-inline'",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Any page may play a recording with `<audio src=link>`. Errors have these fields too, and so has 304, whose fields
replace those in the browser's cache.
"""

_ASSET_HEADERS: Final[Mapping[str, str]] = {**SECURITY_HEADERS, "Cache-Control": "no-cache"}
"""The same for every user; revalidated by its ETag."""


def policy_for(script_hashes: list[str]) -> str:
    """The Content-Security-Policy of a page of ours: our files, and the inline scripts of these hashes (CSP 3)."""
    scripts = " ".join(["'self'", *(f"'{one}'" for one in script_hashes)])
    return (
        f"{SECURITY_HEADERS[_CONTENT_SECURITY_POLICY]}; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; media-src 'self' blob:"
    )


class SecurityHeaders:
    """Adds those headers that the answer does not have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if path == LINK or path.startswith(f"{LINK}/"):
            safe = _LINK_HEADERS
        else:
            safe = _ASSET_HEADERS if path.startswith("/docs/assets/") else SECURITY_HEADERS

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in safe.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safe)
