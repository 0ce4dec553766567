"""The client for asyncio: the same calls, awaited."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import ExitStack, aclosing, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID, uuid4

import httpx2
from anyio import to_thread

from pigwav.client.answers import Limits, Recording, Registered, User
from pigwav.client.async_sockets import SocketClient
from pigwav.client.async_wavs import AsyncOpenWav, AsyncWavInput, async_wav_of
from pigwav.client.bounded_answers import MAX_REDIRECTS, AnswerBody, too_many_redirects
from pigwav.client.downloads import Checked, Download, Downloaded, Offered, offer_of
from pigwav.client.errors import ClientError
from pigwav.client.proxies import WITHOUT_PROXY, check_proxies
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

__all__ = ["DEFAULT_URL", "AsyncPigWavClient"]

T = TypeVar("T")


class AsyncPigWavClient:
    """`PigWavClient` for asyncio: the same calls with the same errors; an asynchronous context manager.

    Reading a WAV and writing an MP3 block, so they run in threads; `progress` is called in the event loop. A cancelled
    call ends as soon as the current block of a file or pipe is read or written.
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
        """As `PigWavClient`."""
        self._service = Service.at(base_url, user_id, token)
        self._attempts = attempts
        self._on_wait = on_wait
        check_proxies()
        self._http = SocketClient(
            timeout=timeout_s, headers=CLIENT_HEADERS, limits=LIMITS, mounts=WITHOUT_PROXY
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def register(self, name: str) -> Registered:
        """As `PigWavClient.register`."""
        return await self._call(self._service.register(name))

    async def me(self) -> User:
        """As `PigWavClient.me`."""
        return await self._call(self._service.me())

    async def upload(
        self,
        wav: AsyncWavInput,
        *,
        title: str | None = None,
        filename: str | None = None,
        bitrate_kbps: int | None = None,
        strict: Collection[str] = (),
        idempotency_key: str | None = None,
        progress: Progress = no_progress,
    ) -> Recording:
        """As `PigWavClient.upload`; `wav` may be an async iterable of bytes, too."""
        source = async_wav_of(wav)
        key = idempotency_key or str(uuid4())

        async def send(_: RetryBudget) -> Recording:
            with ExitStack() as files:
                opened = await source.open(files)
                call = self._service.upload(
                    title=title,
                    filename=filename or source.filename,
                    bitrate_kbps=bitrate_kbps,
                    strict=strict,
                    size_bytes=opened.size_bytes,
                    idempotency_key=key,
                )
                return call.answer(await self._send(call, _metered(opened, progress)))

        return await self._with_retries(repeatable_upload(source), send)

    async def recordings(
        self, *, page_size: int = 50, peaks: bool = False, search: str | None = None
    ) -> AsyncIterator[Recording]:
        """As `PigWavClient.recordings`: `async for recording in client.recordings()`."""
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = await self._call(self._service.recordings(page_size, cursor, search, peaks=peaks))
            for recording in page.items:
                yield recording
            cursor = page.next_after(seen)
            if cursor is None:
                return

    async def show(self, recording_id: UUID | str) -> Recording:
        """As `PigWavClient.show`."""
        return await self._call(self._service.show(recording_id))

    async def limits(self) -> Limits:
        """As `PigWavClient.limits`."""
        return await self._call(self._service.limits())

    async def waveform(self, recording_id: UUID | str) -> Waveform:
        """As `PigWavClient.waveform`."""
        return await self._call(self._service.waveform(recording_id))

    async def rename(self, recording_id: UUID | str, title: str | None) -> Recording:
        """As `PigWavClient.rename`."""
        return await self._call(self._service.rename(recording_id, title))

    async def delete(self, recording_id: UUID | str) -> None:
        """As `PigWavClient.delete`."""
        await self._call(self._service.delete(recording_id))

    async def rotate_token(self) -> UUID:
        """As `PigWavClient.rotate_token`."""
        token = await self._call(self._service.rotate_token())
        self._service = self._service.with_token(token)
        return token

    async def delete_me(self) -> None:
        """As `PigWavClient.delete_me`."""
        await self._call(self._service.delete_me())

    async def file_name(self, link: str) -> str:
        """As `PigWavClient.file_name`."""
        return await self._call(name_of(link))

    async def peek(self, link: str) -> Offered:
        """As `PigWavClient.peek`."""
        return await self._call(offer_of(link))

    async def download(self, link: str, to: Path | str, *, progress: Progress = no_progress) -> Downloaded:
        """As `PigWavClient.download`."""
        download = await to_thread.run_sync(Download, Path(to))
        try:
            return await self._with_retries(is_retryable, lambda _: self._fetch(link, download, progress))
        finally:
            download.close()

    @asynccontextmanager
    async def stream(self, link: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """As `PigWavClient.stream`: `async with client.stream(link) as blocks`."""

        async def opened(_: RetryBudget) -> httpx2.Response:
            response = await self._get(link, MP3_HEADERS)
            if response.status_code == HTTPStatus.OK:
                return response
            async with aclosing(response):
                raise await self._refusal(response)

        response = await self._with_retries(is_retryable, opened)
        try:
            yield _checked(response, Checked(response))
        finally:
            await response.aclose()

    async def _call(self, call: Call[T]) -> T:
        async def attempt(tries: RetryBudget) -> T:
            response = await self._send(call)
            if asking := call.why(response):  # a refused HEAD has no body that says why
                reason = await self._send(asking)
                response = reason if reason.is_client_error else response
            return call.answer(response, lost_answer=tries.lost_answer)

        return await self._with_retries(call.repeatable, attempt)

    async def _with_retries(
        self, repeatable: Repeatable, attempt: Callable[[RetryBudget], Awaitable[T]]
    ) -> T:
        tries = RetryBudget(self._attempts, repeatable)
        while True:
            try:
                return await attempt(tries)
            except ClientError as error:
                wait_s = tries.wait_s(error)
                self._on_wait(error, wait_s)
            await asyncio.sleep(wait_s)

    async def _send(self, call: Call[T], content: AsyncIterator[bytes] | None = None) -> httpx2.Response:
        with reaching(call.url):
            request = self._http.build_request(**call.request(), content=content)
            async with aclosing(
                await self._open(request, follow_redirects=call.follow_redirects)
            ) as response:
                return await _whole(response)

    async def _get(self, link: str, headers: dict[str, str]) -> httpx2.Response:
        """A response whose body has not been read yet."""
        with reaching(link):
            request = self._http.build_request("GET", link, headers=headers)
            return await self._open(request, follow_redirects=True)

    async def _open(self, request: httpx2.Request, *, follow_redirects: bool) -> httpx2.Response:
        """A response whose body has not been read yet. Bodies of redirects are not read at all."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._http.send(request, stream=True)
            if not follow_redirects or response.next_request is None:
                return response
            await response.aclose()
            request = response.next_request
        raise too_many_redirects(str(request.url))

    async def _fetch(self, link: str, download: Download, progress: Progress) -> Downloaded:
        downloaded = None
        while downloaded is None:
            async with aclosing(await self._get(link, download.headers())) as response:
                if response.status_code not in download.ANSWERS:
                    raise await self._refusal(response)
                if await to_thread.run_sync(download.begins, response):
                    progress(download.done_bytes, download.total_bytes)
                    async with aclosing(_raw(response)) as blocks:
                        async for block in blocks:
                            await to_thread.run_sync(download.write, block)
                            progress(download.done_bytes, download.total_bytes)
                    downloaded = await to_thread.run_sync(download.finished)
        return downloaded

    async def _refusal(self, response: httpx2.Response) -> ClientError:
        with reaching(str(response.url)):
            return refusal(await _whole(response))


async def _metered(wav: AsyncOpenWav, progress: Progress) -> AsyncIterator[bytes]:
    done_bytes = 0
    async for block in wav.blocks:
        yield block
        done_bytes += len(block)
        progress(done_bytes, wav.size_bytes)


async def _whole(response: httpx2.Response) -> httpx2.Response:
    body = AnswerBody(response)
    async for block in response.aiter_raw():
        body.add(block)
    return body.whole()


async def _raw(response: httpx2.Response) -> AsyncGenerator[bytes]:
    with receiving():
        async for block in response.aiter_raw():
            yield block


async def _checked(response: httpx2.Response, checked: Checked) -> AsyncIterator[bytes]:
    async with aclosing(_raw(response)) as blocks:
        async for block in blocks:
            checked.update(block)
            yield block
    checked.finish()
