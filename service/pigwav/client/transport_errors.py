"""Translates the exceptions of the HTTP transport to those of this client."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from pigwav.client.errors import (
    DownloadInterrupted,
    InvalidAddress,
    NotConnected,
    UnexpectedAnswer,
    Unreachable,
)


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Translates the transport's exceptions of a request."""
    try:
        _check_port(url)
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise InvalidAddress(
            f"{without_credentials(url)!r} is not the URL of an HTTP service: {reason(error)}."
        ) from error
    except httpx2.ProxyError as error:  # client.proxies has named the proxy
        raise NotConnected(str(error)) from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise NotConnected(f"{origin(url)} does not answer: {reason(error)}.") from error
    except httpx2.TransportError as error:
        raise Unreachable(f"{origin(url)} does not answer: {reason(error)}.") from error
    except httpx2.RequestError as error:  # an endless redirect, a false Content-Encoding
        raise UnexpectedAnswer(
            f"The answer of {origin(url)} does not match PigWav's API: {reason(error)}."
        ) from error


@contextmanager
def receiving() -> Iterator[None]:
    """Translates the transport's exceptions while a download is being received."""
    try:
        yield
    except httpx2.TransportError as error:
        raise DownloadInterrupted(f"The download was interrupted: {reason(error)}.") from error


def origin(url: str | httpx2.URL) -> str:
    """Scheme, host and port of a URL for error messages, which may be logged: a full link gives access to the MP3."""
    found = re.match(r"([a-z][a-z0-9+.-]*://)(?:[^/?#]*@)?([^/?#]*)", str(url), re.IGNORECASE)
    return found[1] + found[2] if found else "The service"


def without_credentials(url: str) -> str:
    return re.sub(r"^([a-z][a-z0-9+.-]*://)?[^/]*@", r"\1", url, flags=re.IGNORECASE)


def _check_port(url: str) -> None:
    """Raises InvalidURL for a port that a socket would take modulo 65,536 or refuse."""
    port = httpx2.URL(url).port
    if port is not None and not 0 < port < 65_536:
        raise httpx2.InvalidURL(f"Invalid port: {port}")


def reason(error: Exception) -> str:
    """The exception's message; if it is empty, as for some timeouts, the exception's name as words."""
    return str(error).rstrip(".") or re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
