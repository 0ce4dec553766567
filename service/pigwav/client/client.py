"""The client: one method a call, typed answers, one tree of errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID, uuid4

import httpx2

from pigwav.client.answers import Recording, Registered, User
from pigwav.client.downloads import Checked, Download, Downloaded, Offered, offer_of
from pigwav.client.errors import ClientError
from pigwav.client.refusals import refusal
from pigwav.client.retries import OnWait, Repeatable, Tries, harmless, repeatable_upload, wait_silently
from pigwav.client.service import CLIENT_HEADERS, DEFAULT_URL, LIMITS, MP3_HEADERS, Call, Service, name_of
from pigwav.client.transfer import Progress, no_progress
from pigwav.client.transport_errors import reaching, receiving
from pigwav.client.wavs import OpenWav, WavInput, wav_of

__all__ = ["DEFAULT_URL", "PigWavClient"]

T = TypeVar("T")


class PigWavClient:
    """Talks to one service; a context manager; threads may share it. Files are streamed. Every call raises ClientError.

    Calls are repeated where that is safe: after no connection and after 429 and 503 always, after a lost answer where
    the call does the same however often it is made (all but `register` and `rotate_token`).
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
        """`timeout_s` bounds each wait for the network, not a whole transfer; `attempts` are all tries of a call.

        `on_wait` is called before each wait for the next try, with the error and the seconds.
        `register` and links need no credentials. Raises nothing: an address is tried when it is used.
        """
        self._service = Service.at(base_url, user_id, token)
        self._attempts = attempts
        self._on_wait = on_wait
        self._http = httpx2.Client(timeout=timeout_s, headers=CLIENT_HEADERS, limits=LIMITS)

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
        """Create a user. The answer holds the token, which is shown this once.

        Raises NameTaken, BadInput; Refused (`registration-closed`) where the operator registers users.
        """
        return self._call(self._service.register(name))

    def me(self) -> User:
        """The user of this client's token; a user id is not needed. Raises CredentialsMissing, NotAuthenticated."""
        return self._call(self._service.me())

    def upload(
        self,
        wav: WavInput,
        *,
        title: str | None = None,
        filename: str | None = None,
        bitrate_kbps: int | None = None,
        idempotency_key: str | None = None,
        progress: Progress = no_progress,
    ) -> Recording:
        """Send a WAV; it plays when this returns.

        `wav`: a path, bytes, an open binary file (what is left of it; a pipe will do) or an iterable of bytes.
        `filename` is the path's or the file's own name, where none is given. The recording's title is `title`, else
        that in the WAV, else the file name without its extension. `bitrate_kbps` is one of MP3's at the recording's
        sample rate; the service has a default. A repeated upload, and so its progress, starts over; what can be read
        only once is repeated only before its first block. However often it is repeated, one recording is made.

        `idempotency_key` (1 to 255 printable ASCII characters) holds that beyond this call, for a day: another call
        for the same WAV with the same key, after a crash for example, answers the recording that is there.

        Raises CredentialsMissing, NotAuthenticated, BadInput (`code` says what is wrong with the WAV), TryLater,
        WavChanged; NotFound where the recording made under this key has been deleted; ValueError for what is no key;
        OSError and whatever an iterable raises.
        """
        source = wav_of(wav)
        key = idempotency_key or str(uuid4())

        def send(_: Tries) -> Recording:
            with ExitStack() as files:
                opened = source.open(files)
                call = self._service.upload(
                    title=title,
                    filename=filename or source.filename,
                    bitrate_kbps=bitrate_kbps,
                    size_bytes=opened.size_bytes,
                    idempotency_key=key,
                )
                return call.answer(self._send(call, _metered(opened, progress)))

        return self._with_retries(repeatable_upload(source), send)

    def recordings(self, *, page_size: int = 50) -> Iterator[Recording]:
        """The user's recordings, newest first; fetched `page_size` (1 to 200) at a time, as they are asked for.

        Raises CredentialsMissing, NotAuthenticated, BadInput.
        """
        cursor: str | None = None
        while True:
            page = self._call(self._service.recordings(page_size, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def show(self, recording_id: UUID | str) -> Recording:
        """What is known of one of the user's recordings. Raises CredentialsMissing, NotAuthenticated, NotFound."""
        return self._call(self._service.show(recording_id))

    def rename(self, recording_id: UUID | str, title: str | None) -> Recording:
        """Give a recording another title, or none; its link stays.

        Raises CredentialsMissing, NotAuthenticated, NotFound, BadInput.
        """
        return self._call(self._service.rename(recording_id, title))

    def delete(self, recording_id: UUID | str) -> None:
        """Delete a recording: its link is dead at once. Raises CredentialsMissing, NotAuthenticated, NotFound."""
        self._call(self._service.delete(recording_id))

    def rotate_token(self) -> UUID:
        """Replace the user's token: the old one is dead at once, this client goes on with the new one.

        Raises CredentialsMissing, NotAuthenticated.
        """
        token = self._call(self._service.rotate_token())
        self._service = self._service.with_token(token)
        return token

    def delete_me(self) -> None:
        """Delete the user, their recordings and links. Raises CredentialsMissing, NotAuthenticated."""
        self._call(self._service.delete_me())

    def file_name(self, link: str) -> str:
        """The name under which a browser would save what is behind a link: one safe path component.

        Raises NotFound, UnexpectedAnswer.
        """
        return self._call(name_of(link))

    def peek(self, link: str) -> Offered:
        """Name, SHA-256 and size of what is behind a link, without fetching it. Raises NotFound, UnexpectedAnswer."""
        return self._call(offer_of(link))

    def download(self, link: str, to: Path | str, *, progress: Progress = no_progress) -> Downloaded:
        """Fetch the MP3 behind a link. `to` is replaced only when the new file is whole and its SHA-256 is right.

        Until then it is `<to>.part`, which stays when the download breaks off, and from whose end the next try, or the
        next call, goes on. A partial file that turns out to be wrong is thrown away, and the download starts over.
        `progress` counts what was there already.

        Raises NotFound, DownloadInterrupted, DownloadBroken, OutputUnusable, UnexpectedAnswer; OSError.
        """
        with closing(Download(Path(to))) as download:
            return self._with_retries(harmless, lambda _: self._fetch(link, download, progress))

    @contextmanager
    def stream(self, link: str) -> Iterator[Iterator[bytes]]:
        """The MP3 behind a link as blocks, without a file. Its SHA-256 is checked at the end: heed the last error.

        Opening is repeated, reading is not. Raises NotFound, UnexpectedAnswer; while reading DownloadInterrupted and
        DownloadBroken.
        """

        def opened(_: Tries) -> httpx2.Response:
            response = self._get(link, MP3_HEADERS)
            if response.status_code == HTTPStatus.OK:
                return response
            with closing(response):
                raise self._refusal(response)

        response = self._with_retries(harmless, opened)
        try:
            yield _checked(response, Checked(response))
        finally:
            response.close()

    def _call(self, call: Call[T]) -> T:
        def attempt(tries: Tries) -> T:
            response = self._send(call)
            if asking := call.why(response):  # the answer is a refusal that does not say why
                reason = self._send(asking)
                response = reason if reason.is_client_error else response
            return call.answer(response, lost_answer=tries.lost_answer)

        return self._with_retries(call.repeatable, attempt)

    def _with_retries(self, repeatable: Repeatable, attempt: Callable[[Tries], T]) -> T:
        tries = Tries(self._attempts, repeatable)
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
            return self._http.send(request, follow_redirects=call.follow_redirects)

    def _get(self, link: str, headers: dict[str, str]) -> httpx2.Response:
        """An answer whose body is still to come."""
        with reaching(link):
            request = self._http.build_request("GET", link, headers=headers)
            return self._http.send(request, stream=True, follow_redirects=True)

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
            response.read()
        return refusal(response)


def _metered(wav: OpenWav, progress: Progress) -> Iterator[bytes]:
    done_bytes = 0
    for block in wav.blocks:
        yield block
        done_bytes += len(block)
        progress(done_bytes, wav.size_bytes)


def _raw(response: httpx2.Response) -> Iterator[bytes]:
    with receiving():
        yield from response.iter_raw()


def _checked(response: httpx2.Response, checked: Checked) -> Iterator[bytes]:
    for block in _raw(response):
        checked.update(block)
        yield block
    checked.finish()
