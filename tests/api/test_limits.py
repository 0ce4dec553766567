"""Reaches each limit on purpose: the response, the log line and the metric name the limit."""

import select
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from accounts import Account, register
from api.full_executor import full
from api.sockets import Answer, connect
from e2e.open_upload import open_upload
from factories import chunk, fmt_chunk, riff, wav
from logged import Line, logged
from pigwav.api.connections.connection import MAX_PIPELINED
from pigwav.errors import Limit
from pigwav.executors import BoundedExecutor
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import ServedApi, served
from waiting import wait_until

ADPCM = riff(
    fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0")
    + chunk(b"data", bytes(512 * 400))
)
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Situation:
    """An API with other settings, and a user. Everything is closed after the test."""

    def __init__(self, settings: Settings, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._settings = settings
        self._stack = stack

    def serve(self, **sections: Mapping[str, Any] | object) -> None:
        """Starts the API. Each argument is a section with some of its fields, or a top-level setting."""
        changed = {
            name: getattr(self._settings, name).model_copy(update=value) if isinstance(value, dict) else value
            for name, value in sections.items()
        }
        self.api: ServedApi = self._stack.enter_context(served(self._settings.model_copy(update=changed)))
        http = self._stack.enter_context(httpx2.Client(base_url=self.api.url, timeout=30))
        self.account: Account = register(http)

    def connection(self) -> socket.socket:
        return self._stack.enter_context(connect(self.api))

    def open_upload(self, body: bytes) -> None:
        self._stack.enter_context(open_upload(self.account, body))

    def open_download(self, link: str) -> None:
        self._stack.enter_context(self.account.http.stream("GET", link))

    def full(self, executor: BoundedExecutor) -> None:
        self._stack.enter_context(full(executor))

    def get(self, path: str) -> httpx2.Response:
        return self.account.http.get(path, headers=self.account.bearer)

    def wait_for_metric(self, text: str) -> None:
        wait_until(lambda: text in self.api.services.metrics.exposition().decode())


def uploads(here: Situation) -> httpx2.Response:
    here.serve(limits={"max_open_uploads": 1})
    here.open_upload(wav(seconds=1))
    here.wait_for_metric("pigwav_uploads_open 1.0")
    return here.account.upload_raw(wav(seconds=0.1))


def uploads_share(here: Situation) -> httpx2.Response:
    here.serve(limits={"max_open_uploads": 8})
    for _ in range(7):
        here.open_upload(wav(seconds=1))
    here.wait_for_metric("pigwav_uploads_open 7.0")
    return here.account.upload_raw(wav(seconds=0.1))


def memory(here: Situation) -> httpx2.Response:
    here.serve(limits={"max_buffered_bytes": 1000})
    here.open_upload(wav(seconds=30))
    wait_until(lambda: b"pigwav_upload_held_bytes 0.0" not in here.api.services.metrics.exposition())
    return here.account.upload_raw(wav(seconds=0.1))


def unauthenticated_memory(here: Situation) -> Answer:
    """Two forms whose file precedes the fields. Together they exceed 1/16 of the 16 MiB of `max_buffered_bytes`."""
    here.serve(limits={"max_buffered_bytes": 16 * 2**20})
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(900_000)
    head = b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    connections = [here.connection(), here.connection()]
    for connection in connections:
        connection.sendall(head + b"Content-Length: 9999999\r\n\r\n" + part)
    [refused], _, _ = select.select(connections, [], [], 30)
    answer = Answer.read(refused)
    refused.close()  # otherwise the server waits for the rest of the body before it logs
    return answer


def encoder(here: Situation) -> httpx2.Response:
    here.serve(cpu_threads=1, queue_timeout_s=0.1)
    cpu = here.api.services.executors.cpu
    here.full(cpu)
    wait_until(lambda: cpu.longest_wait_s() > 0.1)
    return here.account.upload_raw(wav(seconds=0.1))


def cards(here: Situation) -> httpx2.Response:
    here.serve(queue_timeout_s=0.1)
    recording = here.account.recording()
    here.full(here.api.services.executors.cards)
    return here.get(f"/listen/card.png?id={recording['id']}&user={recording['user']}")


def decoders(here: Situation) -> httpx2.Response:
    here.serve(limits={"max_decoders": 1})
    here.open_upload(ADPCM)
    wait_until(lambda: here.api.services.add_recording.converter.decoders.free == 0)
    return here.account.upload_raw(ADPCM)


def decoders_share(here: Situation) -> httpx2.Response:
    here.serve(limits={"max_decoders": 8})
    for _ in range(7):
        here.open_upload(ADPCM)
    wait_until(lambda: here.api.services.add_recording.converter.decoders.free == 1)
    return here.account.upload_raw(ADPCM)


def processes(here: Situation) -> httpx2.Response:
    """Exit status 127 is what a shell reports if the loader cannot start a program."""
    program = here.folder / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)
    here.serve(encoder={"ffmpeg": program})
    return here.account.upload_raw(ADPCM)


def database(here: Situation) -> httpx2.Response:
    here.serve(database={"pool_size": 2}, queue_timeout_s=0.1)
    here.full(here.api.services.executors.db)
    return here.get("/users/me")


def store(here: Situation) -> httpx2.Response:
    here.serve(store={"concurrency": 1}, queue_timeout_s=0.1)
    here.full(here.api.services.executors.store)
    return here.get("/readyz")


def downloads(here: Situation) -> httpx2.Response:
    here.serve(http={"max_open_downloads": 0})
    return httpx2.get(here.account.recording()["url"])


def downloads_share(here: Situation) -> httpx2.Response:
    here.serve(http={"max_open_downloads": 8})
    body = wav(seconds=220, rate=32_000, channels=1, content="silence")  # does not fit into socket buffers
    link = here.account.upload_raw(body, bitrate=320).json()["url"]
    for _ in range(7):
        here.open_download(link)
    return httpx2.get(link)


def connections(here: Situation) -> Answer:
    here.serve(http={"max_connections": 2})
    return _refused_connection(here)


def connections_share(here: Situation) -> Answer:
    here.serve(http={"max_connections": 8})
    return _refused_connection(here)


def _refused_connection(here: Situation) -> Answer:
    """Holds connections until one is refused."""
    while True:
        connection = here.connection()
        connection.sendall(HEALTHZ)
        answer = Answer.read(connection)
        if answer.status != 200:
            return answer


def pipelined_requests(here: Situation) -> None:
    """The refused request gets no response: earlier requests are answered, then the connection ends."""
    here.serve()
    here.connection().sendall(HEALTHZ * 10 * MAX_PIPELINED)


REACHED: Mapping[Limit, Callable[[Situation], httpx2.Response | Answer | None]] = {
    Limit.UPLOADS: uploads,
    Limit.UPLOADS_SHARE: uploads_share,
    Limit.MEMORY: memory,
    Limit.UNAUTHENTICATED_MEMORY: unauthenticated_memory,
    Limit.ENCODER: encoder,
    Limit.CARDS: cards,
    Limit.DECODERS: decoders,
    Limit.DECODERS_SHARE: decoders_share,
    Limit.PROCESSES: processes,
    Limit.DATABASE: database,
    Limit.STORE: store,
    Limit.DOWNLOADS: downloads,
    Limit.DOWNLOADS_SHARE: downloads_share,
    Limit.CONNECTIONS: connections,
    Limit.CONNECTIONS_SHARE: connections_share,
    Limit.PIPELINED_REQUESTS: pipelined_requests,
}


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Iterator[Situation]:
    with ExitStack() as stack:
        yield Situation(settings, tmp_path, stack)


@pytest.mark.parametrize("limit", Limit)
def test_who_is_refused_by_a_limit_and_who_operates_the_service_learn_which_one_it_was(
    here: Situation, limit: Limit
) -> None:
    with logged() as lines:
        answer = REACHED[limit](here)
        here.wait_for_metric(f'pigwav_overloaded_total{{limit="{limit}"}} 1.0')
        wait_until(lambda: _about(lines) != [])

    [line] = _about(lines)
    assert (line["code"], line["limit"]) == ("overloaded", limit)
    assert line["event"] == "request" or line["count"] == 1
    if isinstance(answer, Answer):
        answer.assert_problem(503, "overloaded")
    if answer is not None:
        document = (
            answer.document() if isinstance(answer, Answer) else assert_problem(answer, 503, "overloaded")
        )
        assert document["limit"] == limit
        assert "detail" not in document


def _about(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.get("code") == "overloaded"]
