"""Support for a reverse proxy: its X-Forwarded headers, and the path prefix that it removes."""

import re
from collections.abc import Callable
from typing import Any, Final, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pigwav.telemetry.logs import log

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def trusted_in(trusted: str) -> Callable[[str | None], bool]:
    """Whether an address is in `trusted`, as `TrustedProxies` reads it."""
    return ProxyHeadersMiddleware(_no_app, trusted).trusted_hosts.__contains__


async def _no_app(*_: object) -> None: ...


class TrustedProxies:
    """Applies X-Forwarded-For, -Proto and -Host if they come from an address or network in `trusted` (comma-separated;
    `*`: from any). uvicorn applies the first two. It does not support X-Forwarded-Host, so we replace Host with it.

    The first request that another address has forwarded is logged: if that is a proxy, all its clients count as one.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        # Any: uvicorn and Starlette have types of their own for the same ASGI.
        self._forwarded = ProxyHeadersMiddleware(cast("Any", app), trusted)
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            if (client[0] if client else None) in self._forwarded.trusted_hosts:
                _apply_host(scope)
            elif not self._told and b"x-forwarded-for" in dict(scope["headers"]):
                self._told = True
                log.warning(
                    "forwarded_by_an_untrusted_address",
                    address=client[0] if client else "",
                    hint="If this is your proxy, add it to PIGWAV_TRUSTED_PROXIES. Until then all its clients count as "
                    "one address for rates and shares.",
                )
        await self._forwarded(cast("Any", scope), cast("Any", receive), cast("Any", send))


def _apply_host(scope: Scope) -> None:
    # The last element of a list is the one that the trusted proxy itself added.
    host = ",".join(Headers(scope=scope).getlist("x-forwarded-host")).rpartition(",")[2].strip()
    if _HOST.fullmatch(host):
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [(b"host", host.encode("ascii")), *others]


class PathPrefix:
    """Restores the prefix that the proxy removed (or left in place), as ASGI requires: `path` contains it, and
    `root_path` names it. Then routes match, and links and documents contain the public path.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["root_path"] = self._prefix
            if not f"{scope['path']}/".startswith(f"{self._prefix}/"):
                scope["path"] = self._prefix + scope["path"]
        await self._app(scope, receive, send)
