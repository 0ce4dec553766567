"""Uploads: accepted sources, the request, early responses."""

import asyncio
import gzip
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from client.both import CREDENTIALS, UPLOADED, OpenClient, talking
from fakes.stub_service import problem
from pigwav.client import AsyncPigWavClient, NotAuthenticated, PigWavClient, WavChanged

WAV = b"RIFF" + bytes(range(256)) * 1000
MIB = 1024 * 1024


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "Запись 1.wav"
    path.write_bytes(WAV)
    return path


def in_blocks(size: int = 50_000) -> Iterator[bytes]:
    for start in range(0, len(WAV), size):
        yield WAV[start : start + size]


def opened_at_8() -> io.BytesIO:
    file = io.BytesIO(b"skipped|" + WAV)
    file.seek(8)
    return file


class ReadOnly:
    """A minimal file object."""

    def __init__(self) -> None:
        self.read = io.BytesIO(WAV).read


@pytest.mark.parametrize(
    ("given", "length"),
    [
        (lambda path: path, len(WAV)),
        (str, len(WAV)),
        (lambda path: path.read_bytes(), len(WAV)),
        (lambda path: bytearray(path.read_bytes()), len(WAV)),
        (lambda path: memoryview(path.read_bytes()), len(WAV)),
        (lambda _: opened_at_8(), len(WAV)),
        (lambda _: ReadOnly(), None),
        (lambda _: in_blocks(), None),
        (lambda _: [WAV[:5], b"", WAV[5:]], None),
        (lambda _: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(WAV))), len(WAV)),
    ],
    ids=["path", "str", "bytes", "bytearray", "memoryview", "file", "stream", "generator", "list", "gzip"],
)
def test_every_kind_of_wav_arrives_whole_with_its_length_where_it_has_one(
    open_client: OpenClient, wav: Path, given: Any, length: int | None
) -> None:
    steps: list[tuple[int, int | None]] = []
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(given(wav), progress=lambda *step: steps.append(step))
    [received] = stub.received
    assert received.body == WAV
    assert received.headers.get("Content-Length") == (str(length) if length else None)
    assert received.headers["Content-Type"] == "audio/wav"
    assert steps[-1] == (len(WAV), length)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_async_iterable_is_sent_as_it_comes() -> None:
    async def later() -> AsyncIterator[bytes]:
        for block in in_blocks():
            await asyncio.sleep(0)
            yield block

    async def upload(url: str) -> None:
        async with AsyncPigWavClient(url, *CREDENTIALS) as client:
            await client.upload(later(), progress=lambda *step: steps.append(step))

    steps: list[tuple[int, int | None]] = []
    with talking(PigWavClient, UPLOADED) as (stub, _):
        asyncio.run(upload(stub.url))
    assert stub.received[0].body == WAV
    assert steps[-1] == (len(WAV), None)


def test_pipe_is_sent_until_it_ends_and_has_no_name(open_client: OpenClient) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(b"RIFF pipe")
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client), os.fdopen(reading, "rb") as pipe:
        client.upload(pipe)
    assert (stub.received[0].body, stub.received[0].target) == (b"RIFF pipe", "/records?user=1")


class StandardInput(io.BytesIO):
    name = "<stdin>"


def unnamed(_: Path) -> BinaryIO:
    return tempfile.TemporaryFile()


def opened(path: Path) -> BinaryIO:
    return path.open("rb")


@pytest.mark.parametrize(
    ("given", "named", "query"),
    [
        (Path, {}, "&filename=%D0%97%D0%B0%D0%BF%D0%B8%D1%81%D1%8C%201.wav"),
        (opened, {}, "&filename=%D0%97%D0%B0%D0%BF%D0%B8%D1%81%D1%8C%201.wav"),
        (
            Path,
            {"filename": "a.wav", "title": "Я", "bitrate_kbps": 64},
            "&title=%D0%AF&filename=a.wav&bitrate=64",
        ),
        (lambda path: path.read_bytes(), {}, ""),
        (lambda path: path.read_bytes(), {"filename": "bad \udcff.wav"}, "&filename=bad%20%EF%BF%BD.wav"),
        (unnamed, {}, ""),
        (lambda _: StandardInput(WAV), {}, ""),
    ],
    ids=["path", "file", "told", "bytes", "no text", "no name", "standard input"],
)
def test_file_name_and_title_are_told_apart(
    open_client: OpenClient, wav: Path, given: Any, named: dict[str, Any], query: str
) -> None:
    source = given(wav)
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(source, **named)
    if hasattr(source, "close"):
        source.close()
    assert stub.received[0].target.replace("+", "%20") == f"/records?user=1{query}"


@pytest.mark.parametrize("given", [io.StringIO("RIFF"), 5, None])
def test_what_is_no_wav_input_is_a_mistake_of_the_program(open_client: OpenClient, given: Any) -> None:
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client), pytest.raises(TypeError):
        client.upload(given)
    assert stub.received == []


def test_missing_file_is_the_systems_error(open_client: OpenClient, tmp_path: Path) -> None:
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client), pytest.raises(FileNotFoundError):
        client.upload(tmp_path / "no.wav")
    assert stub.received == []


def test_file_that_shrinks_while_it_is_sent_is_not_sent_as_if_whole(
    open_client: OpenClient, tmp_path: Path
) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(bytes(MIB))

    def shrink(_done_bytes: int, _total_bytes: int | None) -> None:
        os.truncate(wav, MIB // 4)

    with talking(open_client, UPLOADED, *CREDENTIALS) as (_, client), pytest.raises(WavChanged):
        client.upload(wav, progress=shrink)


def test_file_that_grows_while_it_is_sent_is_sent_as_long_as_it_was(
    open_client: OpenClient, wav: Path
) -> None:
    def grow(_done_bytes: int, _total_bytes: int | None) -> None:
        with wav.open("ab") as file:
            file.write(b"more")

    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(wav, progress=grow)
    assert stub.received[0].body == WAV


class Broken(Exception):
    pass


def test_error_of_an_iterable_reaches_the_caller_and_ends_the_upload(open_client: OpenClient) -> None:
    def broken() -> Iterator[bytes]:
        yield b"RIFF"
        raise Broken

    unread = replace(UPLOADED, reads="never")
    with talking(open_client, unread, *CREDENTIALS) as (_, client), pytest.raises(Broken):
        client.upload(broken())


def many_blocks() -> Iterable[bytes]:
    return (bytes(65_536) for _ in range(1024))


@pytest.mark.parametrize("reads", ["never", "after"])
@pytest.mark.parametrize("given", [lambda: bytes(64 * MIB), many_blocks], ids=["bytes", "generator"])
def test_refusal_in_mid_upload_is_raised_and_not_a_broken_pipe(
    open_client: OpenClient, given: Any, reads: Any
) -> None:
    refusal = replace(problem(401, "not-authenticated", "No."), reads=reads)
    steps: list[int] = []
    with talking(open_client, refusal, *CREDENTIALS) as (_, client):
        for _ in range(5):
            with pytest.raises(NotAuthenticated) as caught:
                client.upload(given(), progress=lambda done, _: steps.append(done))
    assert (caught.value.status, caught.value.code) == (401, "not-authenticated")
    assert (max(steps, default=0) == 64 * MIB) == (reads == "after"), "it goes on sending to nobody"


def test_cancelled_upload_leaves_the_files_and_the_client_usable(wav: Path) -> None:
    never = threading.Event()

    async def cancel_then_ask(url: str) -> str:
        async with AsyncPigWavClient(url, *CREDENTIALS) as client:
            with wav.open("rb") as file:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await client.upload(file)
                never.set()
                return (await client.upload(file)).url

    replies = [replace(UPLOADED, after=never), UPLOADED]
    with talking(PigWavClient, lambda *_: replies.pop(0)) as (stub, _):
        assert asyncio.run(cancel_then_ask(stub.url))


def test_other_tasks_run_while_a_pipe_is_waited_for() -> None:
    """A blocking read in the event loop would wait forever, because a task of the same loop writes to the pipe."""
    reading, writing = os.pipe()

    async def write() -> None:
        os.write(writing, b"RIFF")
        os.close(writing)

    async def upload(url: str) -> None:
        async with AsyncPigWavClient(url, *CREDENTIALS) as client, asyncio.TaskGroup() as tasks:
            with os.fdopen(reading, "rb") as pipe:
                upload = tasks.create_task(client.upload(pipe))
                await asyncio.sleep(0)
                tasks.create_task(write())
                await upload

    with talking(PigWavClient, UPLOADED) as (stub, _):
        asyncio.run(upload(stub.url))
    assert stub.received[0].body == b"RIFF"
