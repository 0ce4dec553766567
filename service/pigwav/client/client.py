"""The client: one method per API call, typed answers, one tree of errors."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID, uuid4

import httpx2

from pigwav.client.answers import Limits, Recording, Registered, User
from pigwav.client.bounded_answers import MAX_REDIRECTS, AnswerBody, too_many_redirects
from pigwav.client.downloads import Checked, Download, Downloaded, Offered, offer_of
from pigwav.client.errors import ClientError
from pigwav.client.proxies import WITHOUT_PROXY, ProxiedClient, check_proxies
from pigwav.client.refusals import refusal
from pigwav.client.retries import (
    OnWait,
    Repeatable,
    RetryBudget,
    is_retryable,
    repeatable_upload,
    wait_silently,
)
from pigwav.client.service import CLIENT_HEADERS, DEFAULT_URL, LIMITS, MP3_HEADERS, Call, Service, name_of
from pigwav.client.transfer import Progress, no_progress
from pigwav.client.transport_errors import reaching, receiving
from pigwav.client.waveforms import Waveform
from pigwav.client.wavs import OpenWav, WavInput, wav_of

__all__ = ["DEFAULT_URL", "PigWavClient"]

T = TypeVar("T")


class PigWavClient:
    """A client of one service; a context manager; threads may share it. Files are streamed.

    Every call may raise ClientError. A failed call is repeated if that is safe: always if there was no connection or
    the service answered 429, 503 or 507; after a lost answer only if the call is idempotent (all except `register` and
    `rotate_token`).
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        user_id: int | None = None,
        token: UUID | str | None = None,
        *,
        timeout_s: float = 60,
        attempts: int = 5,
        on_wait: OnWait = wait_silently,
    ) -> None:
        """`user_id` and `token` are not needed for `register` and for links.

        - `timeout_s` limits each wait for the network, not a whole transfer.
        - `attempts`: the maximum number of tries of a call, including the first.
        - `on_wait` is called before each wait for the next try, with the error and the seconds to wait.

        The URL is checked when it is used, except for a query. Raises InvalidAddress, InvalidProxy.
        """
        self._service = Service.at(base_url, user_id, token)
        self._attempts = attempts
        self._on_wait = on_wait
        check_proxies()
        self._http = ProxiedClient(
            timeout=timeout_s, headers=CLIENT_HEADERS, limits=LIMITS, mounts=WITHOUT_PROXY
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def register(self, name: str) -> Registered:
        """Create a user. The result contains the token, which the service cannot show again.

        Raises NameTaken, BadInput; Refused (`registration-closed`) if only the operator registers users.
        """
        return self._call(self._service.register(name))

    def me(self) -> User:
        """The user that the token belongs to; needs no user id. Raises CredentialsMissing, NotAuthenticated."""
        return self._call(self._service.me())

    def upload(
        self,
        wav: WavInput,
        *,
        title: str | None = None,
        filename: str | None = None,
        bitrate_kbps: int | None = None,
        strict: Collection[str] = (),
        idempotency_key: str | None = None,
        progress: Progress = no_progress,
    ) -> Recording:
        """Upload a WAV. When this returns, the recording can be played.

        - `wav`: a path, bytes, an open binary file (read from its position; may be a pipe) or an iterable of bytes.
        - `title`: default is the title in the WAV, else the file name without its extension.
        - `filename`: default is the name of the path or file.
        - `bitrate_kbps`: an MP3 bit rate that the recording's sample rate allows; default is the service's.
        - `strict`: codes of warnings about the sound, such as `clipped`; with one of them, the upload fails.
        - `progress` starts again from 0 when the upload is repeated.
        - `idempotency_key`: 1 to 255 printable ASCII characters, valid for a day. Another call with the same WAV and
          key, for example after a crash, returns the existing recording.

        Repeated tries create only one recording. A pipe or iterable is repeated only before its first block is read.

        Raises CredentialsMissing, NotAuthenticated, BadInput (`code` says what is wrong with the WAV), TryLater,
        WavChanged; NotFound if the recording of this key has been deleted; ValueError for an invalid key; OSError,
        and any error of the iterable.
        """
        source = wav_of(wav)
        key = idempotency_key or str(uuid4())

        def send(_: RetryBudget) -> Recording:
            with ExitStack() as files:
                opened = source.open(files)
                call = self._service.upload(
                    title=title,
                    filename=filename or source.filename,
                    bitrate_kbps=bitrate_kbps,
                    strict=strict,
                    size_bytes=opened.size_bytes,
                    idempotency_key=key,
                )
                return call.answer(self._send(call, _metered(opened, progress)))

        return self._with_retries(repeatable_upload(source), send)

    def recordings(
        self, *, page_size: int = 50, peaks: bool = False, search: str | None = None
    ) -> Iterator[Recording]:
        """The user's recordings, newest first. Pages of `page_size` (1 to 200) are fetched as needed.

        `peaks`: each recording that has a waveform has `peaks`, a small one. `search`: only recordings whose titles
        have all these words; the last may be the beginning of one.

        Raises CredentialsMissing, NotAuthenticated, BadInput.
        """
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = self._call(self._service.recordings(page_size, cursor, search, peaks=peaks))
            yield from page.items
            cursor = page.next_after(seen)
            if cursor is None:
                return

    def show(self, recording_id: UUID | str) -> Recording:
        """One of the user's recordings. Raises CredentialsMissing, NotAuthenticated, NotFound."""
        return self._call(self._service.show(recording_id))

    def limits(self) -> Limits:
        """What the service accepts. Needs no credentials."""
        return self._call(self._service.limits())

    def waveform(self, recording_id: UUID | str) -> Waveform:
        """The waveform of one of the user's recordings, at most 4,096 points. Needs a user id and no token.

        Raises CredentialsMissing; NotFound, with the code `waveform-missing` if the recording is older than waveforms.
        """
        return self._call(self._service.waveform(recording_id))

    def rename(self, recording_id: UUID | str, title: str | None) -> Recording:
        """Change or remove (None) a recording's title; its link stays the same.

        Raises CredentialsMissing, NotAuthenticated, NotFound, BadInput.
        """
        return self._call(self._service.rename(recording_id, title))

    def delete(self, recording_id: UUID | str) -> None:
        """Delete a recording. Its link stops working at once.

        Raises CredentialsMissing, NotAuthenticated, NotFound.
        """
        self._call(self._service.delete(recording_id))

    def rotate_token(self) -> UUID:
        """Replace the user's token. The old one stops working at once; this client uses the new one from now on.

        Raises CredentialsMissing, NotAuthenticated.
        """
        token = self._call(self._service.rotate_token())
        self._service = self._service.with_token(token)
        return token

    def delete_me(self) -> None:
        """Delete the user, their recordings and links. Raises CredentialsMissing, NotAuthenticated."""
        self._call(self._service.delete_me())

    def file_name(self, link: str) -> str:
        """The file name under which a browser would save a link's MP3: one safe path component.

        Raises NotFound, UnexpectedAnswer.
        """
        return self._call(name_of(link))

    def peek(self, link: str) -> Offered:
        """Name, SHA-256 and size of a link's MP3, without downloading it. Raises NotFound, UnexpectedAnswer."""
        return self._call(offer_of(link))

    def download(self, link: str, to: Path | str, *, progress: Progress = no_progress) -> Downloaded:
        """Download a link's MP3. `to` is replaced only when the new file is complete and its SHA-256 is correct.

        Until then the file is `<to>.pigwav-part`. If the download is interrupted, that file stays, and the next try or
        the next call resumes at its end. If it turns out to be wrong, it is discarded and the download starts over.
        `progress` includes the bytes that were already there.

        Raises NotFound, DownloadInterrupted, DownloadBroken, OutputUnusable, UnexpectedAnswer; OSError.
        """
        with closing(Download(Path(to))) as download:
            return self._with_retries(is_retryable, lambda _: self._fetch(link, download, progress))

    @contextmanager
    def stream(self, link: str) -> Iterator[Iterator[bytes]]:
        """A link's MP3 as blocks, without a file. The SHA-256 is checked after the last block.

        Opening is retried, reading is not. Raises NotFound, UnexpectedAnswer; while reading DownloadInterrupted, and
        DownloadBroken at the end.
        """

        def opened(_: RetryBudget) -> httpx2.Response:
            response = self._get(link, MP3_HEADERS)
            if response.status_code == HTTPStatus.OK:
                return response
            with closing(response):
                raise self._refusal(response)

        response = self._with_retries(is_retryable, opened)
        try:
            yield _checked(response, Checked(response))
        finally:
            response.close()

    def _call(self, call: Call[T]) -> T:
        def attempt(tries: RetryBudget) -> T:
            response = self._send(call)
            if asking := call.why(response):  # a refused HEAD has no body that says why
                reason = self._send(asking)
                response = reason if reason.is_client_error else response
            return call.answer(response, lost_answer=tries.lost_answer)

        return self._with_retries(call.repeatable, attempt)

    def _with_retries(self, repeatable: Repeatable, attempt: Callable[[RetryBudget], T]) -> T:
        tries = RetryBudget(self._attempts, repeatable)
        while True:
            try:
                return attempt(tries)
            except ClientError as error:
                wait_s = tries.wait_s(error)
                self._on_wait(error, wait_s)
            time.sleep(wait_s)

    def _send(self, call: Call[T], content: Iterator[bytes] | None = None) -> httpx2.Response:
        with reaching(call.url):
            request = self._http.build_request(**call.request(), content=content)
            with closing(self._open(request, follow_redirects=call.follow_redirects)) as response:
                return _whole(response)

    def _get(self, link: str, headers: dict[str, str]) -> httpx2.Response:
        """A response whose body has not been read yet."""
        with reaching(link):
            request = self._http.build_request("GET", link, headers=headers)
            return self._open(request, follow_redirects=True)

    def _open(self, request: httpx2.Request, *, follow_redirects: bool) -> httpx2.Response:
        """A response whose body has not been read yet. Bodies of redirects are not read at all."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._http.send(request, stream=True)
            if not follow_redirects or response.next_request is None:
                return response
            response.close()
            request = response.next_request
        raise too_many_redirects(str(request.url))

    def _fetch(self, link: str, download: Download, progress: Progress) -> Downloaded:
        downloaded = None
        while downloaded is None:
            with closing(self._get(link, download.headers())) as response:
                if response.status_code not in download.ANSWERS:
                    raise self._refusal(response)
                if download.begins(response):
                    progress(download.done_bytes, download.total_bytes)
                    for block in _raw(response):
                        download.write(block)
                        progress(download.done_bytes, download.total_bytes)
                    downloaded = download.finished()
        return downloaded

    def _refusal(self, response: httpx2.Response) -> ClientError:
        with reaching(str(response.url)):
            return refusal(_whole(response))


def _metered(wav: OpenWav, progress: Progress) -> Iterator[bytes]:
    done_bytes = 0
    for block in wav.blocks:
        yield block
        done_bytes += len(block)
        progress(done_bytes, wav.size_bytes)


def _whole(response: httpx2.Response) -> httpx2.Response:
    body = AnswerBody(response)
    for block in response.iter_raw():
        body.add(block)
    return body.whole()


def _raw(response: httpx2.Response) -> Iterator[bytes]:
    with receiving():
        yield from response.iter_raw()


def _checked(response: httpx2.Response, checked: Checked) -> Iterator[bytes]:
    for block in _raw(response):
        checked.update(block)
        yield block
    checked.finish()
