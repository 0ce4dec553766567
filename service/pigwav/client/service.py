"""The requests of PigWav's HTTP API as values. Nothing here sends them; both clients do."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx2

from pigwav.client.answers import Limits, Page, Recording, Registered, User
from pigwav.client.bounded_answers import MALFORMED
from pigwav.client.errors import CredentialsMissing, InvalidAddress, UnexpectedAnswer
from pigwav.client.file_names import file_name
from pigwav.client.refusals import refusal
from pigwav.client.retries import Repeatable, had_no_effect, is_retryable
from pigwav.client.transport_errors import origin, without_credentials
from pigwav.client.waveforms import Waveform

T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:8080"
CLIENT_HEADERS: Final = {"User-Agent": "pigwav-client", "Accept-Encoding": "identity"}
"""`identity`, because a compressed body may be a thousand times as large as it arrives."""
LIMITS: Final = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2)
"""Idle connections are closed after 2 s, before the service closes them: a POST on a connection that the service is
closing would fail and could not be repeated.
"""
MP3_HEADERS: Final = {"Accept": "audio/mpeg", "Accept-Encoding": "identity"}
"""`identity`, because length, range and digest must be those of the MP3 itself."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how to read its response. `url` is absolute; `params` that are None are left out.

    `took_effect`: the status of a repeated call if an earlier try took effect but its answer was lost.
    """

    method: str
    url: str
    read: Callable[[httpx2.Response], T]
    status: HTTPStatus = HTTPStatus.OK
    params: Mapping[str, str | int | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, str | None] | None = None
    follow_redirects: bool = False
    took_effect: HTTPStatus | None = None

    @property
    def repeatable(self) -> Repeatable:
        return had_no_effect if self.method == "POST" else is_retryable

    def why(self, response: httpx2.Response) -> "Call[T] | None":
        """The request that finds out why a HEAD was refused, because the response to HEAD has no body; else None."""
        if self.method != "HEAD" or not response.is_client_error:
            return None
        return replace(self, method="GET", headers={**self.headers, "Range": "bytes=0-0"})

    def request(self) -> dict[str, Any]:
        """The arguments of httpx2's `build_request`."""
        params = {name: value for name, value in self.params.items() if value is not None}
        return {
            "method": self.method,
            "url": self.url,
            "params": params or None,  # an empty mapping would remove the query of a link
            "headers": self.headers,
            "json": self.json,
        }

    def answer(self, response: httpx2.Response, *, lost_answer: bool = False) -> T:
        """The typed value of a response. The body must have been read. Raises ClientError if it is not a success."""
        took_effect = lost_answer and response.status_code == self.took_effect
        if response.status_code != self.status and not took_effect:
            raise refusal(response)
        try:
            return self.read(response)
        except MALFORMED as error:
            raise UnexpectedAnswer(
                f"The answer of {origin(self.url)} does not match PigWav's API.", response.status_code
            ) from error


@dataclass(frozen=True)
class Service:
    """A service's URL and, if given, a user's credentials. Each method is one call of the HTTP API."""

    base_url: str
    user_id: int | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, base_url: str, user_id: int | None, token: UUID | str | None) -> Self:
        """Raises InvalidAddress for a URL with a query or fragment, which would swallow the path of every call."""
        path, *more = re.split("[?#]", base_url)
        if more:
            raise InvalidAddress(
                f"{without_credentials(path)!r} is followed by a query or fragment; remove it."
            )
        return cls(base_url.strip().rstrip("/"), user_id, None if token is None else str(token))

    def with_token(self, token: UUID) -> Self:
        return replace(self, token=str(token))

    def register(self, name: str) -> Call[Registered]:
        return Call(
            "POST",
            f"{self.base_url}/users",
            _document(Registered.from_json),
            status=HTTPStatus.CREATED,
            json={"name": _sendable(name)},
        )

    def upload(
        self,
        *,
        title: str | None,
        filename: str | None,
        bitrate_kbps: int | None,
        strict: Collection[str],
        size_bytes: int | None,
        idempotency_key: str,
    ) -> Call[Recording]:
        """The request body is the WAV. `size_bytes`: None if it is not known in advance. One key, one recording."""
        length = {} if size_bytes is None else {"Content-Length": str(size_bytes)}
        key = {"Idempotency-Key": _quoted(idempotency_key)}
        return Call(
            "POST",
            f"{self.base_url}/records",
            _document(Recording.from_json),
            status=HTTPStatus.CREATED,
            params={
                "user": self.user_id,
                "title": _sendable(title),
                "filename": _sendable(filename),
                "bitrate": bitrate_kbps,
                "strict": ",".join(strict) or None,
            },
            headers=self._credentials() | {"Content-Type": "audio/wav"} | length | key,
        )

    def me(self) -> Call[User]:
        """Needs no user id."""
        return Call("GET", f"{self.base_url}/users/me", _document(User.from_json), headers=self._bearer())

    def limits(self) -> Call[Limits]:
        """Needs no credentials."""
        return Call("GET", f"{self.base_url}/limits", _document(Limits.from_json))

    def waveform(self, recording_id: UUID | str) -> Call[Waveform]:
        """Needs no token. Raises CredentialsMissing."""
        if self.user_id is None:
            raise CredentialsMissing("This needs a user id.")
        return Call(
            "GET",
            f"{self.base_url}/record/{quote(str(recording_id), safe='')}.dat",
            lambda response: Waveform.from_dat(response.content),
            params={"user": self.user_id},
        )

    def recordings(
        self, page_size: int, cursor: str | None, search: str | None = None, *, peaks: bool = False
    ) -> Call[Page]:
        params = {
            "limit": page_size,
            "cursor": cursor,
            "q": _sendable(search),
            "peaks": 1 if peaks else None,
        }
        return self._of_user("GET", "/records", _document(Page.from_json), params=params)

    def show(self, recording_id: UUID | str) -> Call[Recording]:
        return self._of_user("GET", _path(recording_id), _document(Recording.from_json))

    def rename(self, recording_id: UUID | str, title: str | None) -> Call[Recording]:
        json = {"title": _sendable(title)}
        return self._of_user("PATCH", _path(recording_id), _document(Recording.from_json), json=json)

    def delete(self, recording_id: UUID | str) -> Call[None]:
        return self._deleting(_path(recording_id), took_effect=HTTPStatus.NOT_FOUND)

    def rotate_token(self) -> Call[UUID]:
        return self._of_user("POST", "/users/me/token", _document(lambda document: UUID(document["token"])))

    def delete_me(self) -> Call[None]:
        return self._deleting("/users/me", took_effect=HTTPStatus.UNAUTHORIZED)

    def _deleting(self, path: str, *, took_effect: HTTPStatus) -> Call[None]:
        status = HTTPStatus.NO_CONTENT
        return self._of_user("DELETE", path, lambda _: None, status=status, took_effect=took_effect)

    def _of_user(self, method: str, path: str, read: Callable[[httpx2.Response], T], **more: Any) -> Call[T]:
        return Call(method, self.base_url + path, read, headers=self._credentials(), **more)

    def _credentials(self) -> dict[str, str]:
        """Raises CredentialsMissing."""
        if self.user_id is None:
            raise CredentialsMissing("This needs a user id and a token.")
        return self._bearer()

    def _bearer(self) -> dict[str, str]:
        """Raises CredentialsMissing if the token is missing or has characters that are not allowed in a header."""
        if self.token is None:
            raise CredentialsMissing("This needs a token.")
        if not re.fullmatch(r"[!-~]+", self.token):
            raise CredentialsMissing("The token is not a valid PigWav token.")
        return {"Authorization": f"Bearer {self.token}"}


def name_of(link: str) -> Call[str]:
    """The HEAD request for the file name under which a browser would save a link's MP3."""
    return Call(
        "HEAD",
        link,
        lambda response: file_name(response.headers.get("Content-Disposition", "")),
        headers=MP3_HEADERS,
        follow_redirects=True,
    )


def _document(read: Callable[[dict[str, Any]], T]) -> Callable[[httpx2.Response], T]:
    return lambda response: read(response.json())


def _quoted(key: str) -> str:
    """`key` as a string of RFC 9651. Raises ValueError if it is invalid or longer than the service accepts."""
    if not re.fullmatch(r"[ -~]{1,255}", key):
        raise ValueError("An idempotency key is 1 to 255 printable ASCII characters.")
    return '"' + re.sub(r'(["\\])', r"\\\1", key) + '"'


def _path(recording_id: UUID | str) -> str:
    return f"/records/{quote(str(recording_id), safe='')}"


def _sendable(text: str | None) -> str | None:
    """`text` without lone surrogates, which a file name may contain (PEP 383) and UTF-8 cannot encode."""
    return None if text is None else re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)
