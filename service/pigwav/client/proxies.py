"""The proxies that the environment names. httpx2 reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

Loopback addresses are reached without a proxy, as in Go's net/http: to a proxy, they mean the proxy's own machine.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.request import getproxies

import httpx2
import socksio

from pigwav.client.errors import InvalidProxy
from pigwav.client.transport_errors import reason

WITHOUT_PROXY: Final[Mapping[str, None]] = dict.fromkeys(
    ("all://localhost", "all://127.0.0.0/8", "all://[::1]")
)
"""The `mounts` of httpx2's clients for addresses that are reached without a proxy."""


def check_proxies() -> None:
    """Raises InvalidProxy with the variable's name if httpx2 cannot use a proxy of the environment."""
    named = getproxies()
    if "*" in [host.strip() for host in named.get("no", "").split(",")]:
        return
    for scheme in ("http", "https", "all"):
        if text := named.get(scheme):
            _check(scheme, text)


def _check(scheme: str, text: str) -> None:
    try:
        url = httpx2.Proxy(text if "://" in text else f"http://{text}").url
        usable = bool(url.host) and (url.port is None or 0 < url.port < 65_536)
    except (httpx2.InvalidURL, ValueError):
        usable = False
    if not usable:
        without_credentials = text.rpartition("@")[2]
        raise InvalidProxy(
            f"The proxy in {_variable(scheme)} is not a URL that works: {without_credentials!r}. "
            "Write it as http://HOST:PORT or socks5://HOST:PORT."
        )


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next(filter(os.environ.get, names), "the system's settings")


class ProxiedClient(httpx2.Client):
    """httpx2's client, whose errors say whether it is the proxy that does not answer."""

    def _init_proxy_transport(self, proxy: httpx2.Proxy, *_: Any, **options: Any) -> httpx2.BaseTransport:
        return _ProxyTransport(proxy, options)


class _ProxyTransport(httpx2.HTTPTransport):
    def __init__(self, proxy: httpx2.Proxy, options: Mapping[str, Any]) -> None:
        super().__init__(proxy=proxy, **options)
        self._url = proxy.url

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with _naming(self._url, request):
            response = super().handle_request(request)
        if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            response.close()
            raise _refused(_name(self._url, request), "407 Proxy Authentication Required")
        return response


class AsyncProxyTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, proxy: httpx2.Proxy, options: Mapping[str, Any]) -> None:
        super().__init__(proxy=proxy, **options)
        self._url = proxy.url

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with _naming(self._url, request):
            response = await super().handle_async_request(request)
        if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            await response.aclose()
            raise _refused(_name(self._url, request), "407 Proxy Authentication Required")
        return response


@contextmanager
def _naming(proxy: httpx2.URL, request: httpx2.Request) -> Iterator[None]:
    """Names the proxy in an error that is about it."""
    name = _name(proxy, request)
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        if _is_about_tls(error):  # of the service behind the proxy
            raise
        raise httpx2.ProxyError(f"{name} does not answer: {reason(error)}.") from error
    except httpx2.ProxyError as error:
        raise _refused(name, reason(error)) from error
    except socksio.SOCKSError as error:
        raise httpx2.ProxyError(f"{name} does not answer as a SOCKS5 proxy.") from error


def _name(proxy: httpx2.URL, request: httpx2.Request) -> str:
    """`proxy` has no credentials: httpx2.Proxy removes them."""
    scheme = request.url.scheme if getproxies().get(request.url.scheme) else "all"
    return f"The proxy {proxy} ({_variable(scheme)})"


def _refused(name: str, why: str) -> httpx2.ProxyError:
    return httpx2.ProxyError(f"{name} refused the connection: {why}.")


def _is_about_tls(error: BaseException | None) -> bool:
    """Follows `__context__`, because httpcore2's pool raises its errors `from None`."""
    return error is not None and (isinstance(error, ssl.SSLError) or _is_about_tls(error.__context__))
