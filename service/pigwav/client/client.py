"""The client: one method a call, typed answers, one tree of errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self
from uuid import UUID

import httpx2

from pigwav.client.answers import Registered, Uploaded, read_answer, refusal
from pigwav.client.errors import CredentialsMissing, Unreachable
from pigwav.client.transfer import Progress, blocks_of, remaining_bytes, save, unheard

DEFAULT_URL: Final = "http://127.0.0.1:8080"


class PigWavClient:
    """Talks to one service; a context manager. Files are streamed. Every call raises ClientError."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        user_id: int | None = None,
        token: UUID | str | None = None,
        *,
        timeout_s: float = 60,
    ) -> None:
        """`timeout_s` bounds each wait for the network, not a whole transfer."""
        self._user_id = user_id
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._http = httpx2.Client(timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def register(self, name: str) -> Registered:
        with _reaching(self._base_url):
            response = self._http.post(f"{self._base_url}/users", json={"name": name})
        return read_answer(response, HTTPStatus.CREATED, Registered.from_json)

    def upload(
        self,
        wav: Path | BinaryIO,
        *,
        title: str | None = None,
        bitrate_kbps: int | None = None,
        progress: Progress = unheard,
    ) -> Uploaded:
        """Send a WAV, from a file or from what is left of an open binary one (a pipe will do).

        The title of a path is its name without extension, where none is given.
        """
        if isinstance(wav, Path):
            with wav.open("rb") as file:
                return self._upload(file, title or wav.stem, bitrate_kbps, progress)
        return self._upload(wav, title, bitrate_kbps, progress)

    def _upload(
        self, wav: BinaryIO, title: str | None, bitrate_kbps: int | None, progress: Progress
    ) -> Uploaded:
        if self._user_id is None or self._token is None:
            raise CredentialsMissing("An upload needs a user id and a token.")
        total_bytes = remaining_bytes(wav)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "audio/wav"}
        if total_bytes is not None:
            headers["Content-Length"] = str(total_bytes)
        params = {"user": self._user_id, "title": title, "bitrate": bitrate_kbps}
        with _reaching(self._base_url):
            response = self._http.post(
                f"{self._base_url}/records",
                params={name: value for name, value in params.items() if value is not None},
                headers=headers,
                content=blocks_of(wav, total_bytes, progress),
            )
        return read_answer(response, HTTPStatus.CREATED, Uploaded.from_json)

    def download(self, link: str, to: Path, progress: Progress = unheard) -> None:
        """Fetch the MP3 behind a link. `to` is replaced only when the new file is whole and checked."""
        headers = {"Accept-Encoding": "identity"}  # length and digest are those of the MP3 itself
        with (
            _reaching(link),
            self._http.stream("GET", link, headers=headers, follow_redirects=True) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                response.read()
                raise refusal(response)
            save(response, to, progress)


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise Unreachable(f"{url} does not answer: {error}.") from error
