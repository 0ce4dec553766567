"""The service's JSON as typed values, and its problem documents as errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import httpx2

from pigwav.client.errors import ClientError, NotAuthenticated, Refused, TryLater, UnexpectedAnswer

T = TypeVar("T")

_KINDS: Final[Mapping[int, type[Refused]]] = {
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.TOO_MANY_REQUESTS: TryLater,
    HTTPStatus.SERVICE_UNAVAILABLE: TryLater,
}


@dataclass(frozen=True)
class Registered:
    """A new user. The token is shown this once."""

    id: int
    name: str
    token: UUID = field(repr=False)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(int(document["id"]), str(document["name"]), UUID(document["token"]))


@dataclass(frozen=True)
class Uploaded:
    """A recording that plays: `url` is its public link; size and SHA-256 (hex) are of the MP3.

    `truncated`: the WAV's header promised more audio than the WAV held.
    """

    id: UUID
    url: str
    title: str | None
    duration_ms: int
    size_bytes: int
    sha256: str
    wav_sha256: str
    truncated: bool

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            id=UUID(document["id"]),
            url=str(document["url"]),
            title=document["title"],
            duration_ms=int(document["duration_ms"]),
            size_bytes=int(document["bytes"]),
            sha256=str(document["sha256"]),
            wav_sha256=str(document["wav_sha256"]),
            truncated=bool(document["truncated"]),
        )


def read_answer(response: httpx2.Response, status: HTTPStatus, read: Callable[[dict[str, Any]], T]) -> T:
    """The document of an answer with this status; raises what any other answer means."""
    if response.status_code != status:
        raise refusal(response)
    try:
        return read(response.json())
    except (ValueError, KeyError, TypeError) as error:
        raise UnexpectedAnswer(f"{response.url} does not answer as PigWav does.") from error


def refusal(response: httpx2.Response) -> ClientError:
    """What an answer that is not the wanted one means. Its body has been read."""
    try:
        problem = response.json()
        code, title = str(problem["code"]), str(problem["title"])
    except (ValueError, KeyError, TypeError):
        return UnexpectedAnswer(f"{response.url} answers {response.status_code} {response.reason_phrase}.")
    retry_after = response.headers.get("Retry-After", "")
    kind = _KINDS.get(response.status_code, Refused)
    return kind(
        response.status_code,
        code,
        title,
        detail=problem.get("detail"),
        retry_after_s=int(retry_after) if retry_after.isdecimal() else None,
    )
