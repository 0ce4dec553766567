"""What it means when an answer is not the wanted one, or when none comes."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx2

from pigwav.client.errors import (
    BadInput,
    ClientError,
    DownloadInterrupted,
    InvalidAddress,
    NameTaken,
    NotAuthenticated,
    NotConnected,
    NotFound,
    Refused,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
)

_KINDS: Final[Mapping[int, type[Refused]]] = {
    HTTPStatus.BAD_REQUEST: BadInput,
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: NameTaken,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BadInput,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: BadInput,
    HTTPStatus.UNPROCESSABLE_ENTITY: BadInput,
    HTTPStatus.TOO_MANY_REQUESTS: TryLater,
    HTTPStatus.SERVICE_UNAVAILABLE: TryLater,
    HTTPStatus.INSUFFICIENT_STORAGE: TryLater,
}
_BY_CODE: Final[Mapping[str, type[Refused]]] = {"upload-in-progress": TryLater}
_WITHOUT_BODY: Final[Mapping[int, str]] = {HTTPStatus.NOT_FOUND: "There is nothing behind this link."}


def refusal(response: httpx2.Response) -> ClientError:
    """What an answer that is not the wanted one means. Its body has been read."""
    status = response.status_code
    try:
        problem = response.json()
        code, title, detail = str(problem["code"]), str(problem["title"]), problem.get("detail")
    except (ValueError, KeyError, TypeError, AttributeError):
        if response.request.method != "HEAD" or status not in _KINDS:
            return UnexpectedAnswer(
                f"{origin(response.url)} answers {status} {response.reason_phrase}.", status
            )
        # An answer to HEAD has no document: its status is all that there is.
        title, detail = _WITHOUT_BODY.get(status, f"{HTTPStatus(status).phrase}."), None
        code = HTTPStatus(status).phrase.lower().replace(" ", "-")
    kind = _BY_CODE.get(code) or _KINDS.get(status, Refused)
    return kind(status, code, title, detail=detail, retry_after_s=_retry_after_s(response.headers))


def _retry_after_s(headers: httpx2.Headers) -> int | None:
    """Retry-After, which is seconds or a date (RFC 9110 section 10.2.3); None where it is neither."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0, round((moment - datetime.now(UTC)).total_seconds())) if moment.tzinfo else None


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
