"""What the transport's exceptions mean to a caller of the client."""

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
    """Raises the transport's exceptions as this client's."""
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise InvalidAddress(f"{url!r} is no address of an HTTP service: {_reason(error)}.") from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        raise NotConnected(f"{origin(url)} does not answer: {_reason(error)}.") from error
    except httpx2.TransportError as error:
        raise Unreachable(f"{origin(url)} does not answer: {_reason(error)}.") from error
    except httpx2.RequestError as error:  # an endless redirect, a false Content-Encoding
        raise UnexpectedAnswer(f"{origin(url)} does not answer as PigWav does: {_reason(error)}.") from error


@contextmanager
def receiving() -> Iterator[None]:
    """Raises the transport's exceptions in the middle of a download as this client's."""
    try:
        yield
    except httpx2.TransportError as error:
        raise DownloadInterrupted(f"The download broke off: {_reason(error)}.") from error


def origin(url: str | httpx2.URL) -> str:
    """Scheme, host and port: an error is logged, and whoever has the whole of a link may listen."""
    found = re.match(r"([a-z][a-z0-9+.-]*://)(?:[^/?#]*@)?([^/?#]*)", str(url), re.IGNORECASE)
    return found[1] + found[2] if found else "The service"


def _reason(error: Exception) -> str:
    """The transport's words; where it has none, as some timeouts, the name of what happened."""
    return str(error).rstrip(".") or re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
