"""Uploads that end early, stall or are refused before their end: the client gets the reason, and nothing is left."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx2
import pytest

from accounts import Account, register
from factories import wav
from pigwav.settings import Settings
from pigwav.wiring import Services
from problem_assertions import assert_problem
from serving import ServedApi, served
from traces import Traces
from waiting import wait_until

MIB = 1024 * 1024


def connect(api: ServedApi) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", api.port), timeout=30))


def head(account: Account, length: int, **headers: str) -> bytes:
    lines = {
        "Host": "localhost",
        "Content-Type": "audio/wav",
        "Content-Length": str(length),
        "Authorization": f"Bearer {account.token}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /records?user={account.id} HTTP/1.1\r\n{text}\r\n".encode()


def answer(connection: socket.socket) -> tuple[int, dict]:
    """Reads a response. Returns its status and its problem document ({} if there is no body)."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += _received(connection)
    start, _, body = raw.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in start.split(b"\r\n")[1:])
    while len(body) < int(headers.get(b"content-length", 0)):
        body += _received(connection)
    return int(start.split()[1]), json.loads(body or b"{}")


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the connection ended before the answer"
    return data


@pytest.fixture
def traces(api: ServedApi) -> Traces:
    return Traces(api.services)


def test_a_wrong_token_in_a_large_body_is_told_after_the_body_is_read_away(
    api: ServedApi, account: Account
) -> None:
    body = wav(seconds=1) + bytes(64 * MIB)
    wrong = Account(account.http, account.id, "no such token")
    with connect(api) as connection:
        connection.sendall(head(wrong, len(body)))
        connection.sendall(body)  # fails if the server closes after its response

        assert answer(connection)[0] == 401


def test_a_client_that_expects_100_continue_gets_the_refusal_itself(api: ServedApi, account: Account) -> None:
    wrong = Account(account.http, account.id, "no such token")
    with connect(api) as connection:
        connection.sendall(head(wrong, 10**9, Expect="100-continue"))

        assert answer(connection)[0] == 401
        assert connection.recv(1) == b""  # the rest of the body could be read as a request


def test_a_client_that_expects_100_continue_is_told_to_go_on(api: ServedApi, account: Account) -> None:
    body = wav(seconds=0.2)
    with connect(api) as connection:
        connection.sendall(head(account, len(body), Expect="100-continue"))
        assert _received(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)

        assert answer(connection)[0] == 201


def test_a_body_that_says_it_is_too_large_is_refused_unread(settings: Settings) -> None:
    with served_with(settings, max_upload_bytes=MIB) as (api, account), connect(api) as connection:
        connection.sendall(head(account, MIB + 1, Expect="100-continue"))

        assert answer(connection) == (
            413,
            {
                "type": "urn:pigwav:problem:upload-too-large",
                "title": "The upload is larger than this service allows.",
                "status": 413,
                "code": "upload-too-large",
                "detail": "At most 1048576 bytes are accepted.",
            },
        )


def test_a_chunked_body_that_grows_too_large_is_refused_and_leaves_nothing(settings: Settings) -> None:
    with served_with(settings, max_upload_bytes=MIB) as (api, account):
        blocks = (block for block in [wav(seconds=1), *[bytes(65536)] * 32])
        refused = httpx2.post(
            f"{api.url}/records?user={account.id}",
            content=blocks,
            headers=account.bearer | {"Content-Type": "audio/wav"},
        )

        assert refused.status_code == 413
        assert refused.json()["code"] == "upload-too-large"
        assert Traces(api.services).of(account.id) == []


def test_an_upload_that_falls_silent_is_refused_and_leaves_nothing(settings: Settings) -> None:
    with served_with(settings, idle_timeout_s=0.3) as (api, account):
        with connect(api) as connection:
            connection.sendall(head(account, 10 * MIB) + wav(seconds=2))

            status, document = answer(connection)

        assert (status, document["code"]) == (408, "upload-idle")
        assert Traces(api.services).of(account.id) == []


@pytest.mark.parametrize("seconds", [1, 200], ids=["before the first part", "after the first part"])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    api: ServedApi, account: Account, traces: Traces, seconds: int
) -> None:
    body = wav(seconds=seconds, rate=48000, channels=2)
    with connect(api) as connection:
        request = head(account, len(body) + MIB).replace(b"?user=", b"?bitrate=320&user=")
        connection.sendall(request + body)
        wait_until(lambda: traces.of(account.id) != [])

    wait_until(lambda: traces.of(account.id) == [])
    assert traces.of_store(account.id) == []


def test_a_client_that_leaves_while_the_encoder_is_busy_is_not_converted_first(settings: Settings) -> None:
    with (
        served(settings.model_copy(update={"cpu_threads": 1})) as api,
        httpx2.Client(base_url=api.url) as http,
        encoder_held(api.services),
    ):
        account, traces = register(http), Traces(api.services)
        with connect(api) as connection:
            body = wav(seconds=200)
            connection.sendall(head(account, 10 * MIB) + body[: MIB // 8])
            wait_until(lambda: api.services.executors.cpu.longest_wait_s() > 0)
            connection.sendall(body[MIB // 8 : MIB // 2])  # the server does not read it: reading is paused
            assert traces.of(account.id) == ["pending"]

        wait_until(lambda: traces.of(account.id) == [])
        for sample in (
            "pigwav_uploads_open 0.0",
            'pigwav_connections_ended_total{reason="client-gone"} 1.0',
            'pigwav_uploads_total{outcome="upload-broken"} 1.0',
        ):
            wait_until(lambda sample=sample: sample in metrics(account))


@pytest.mark.parametrize(
    "more", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["alone", "one waits"]
)
def test_a_client_that_leaves_before_its_answer_is_not_converted_any_further(
    settings: Settings, more: bytes
) -> None:
    """The whole body has come, and a request may wait for the answer to it, so that reading is paused."""
    with (
        served(settings.model_copy(update={"cpu_threads": 1})) as api,
        httpx2.Client(base_url=api.url) as http,
    ):
        account, traces = register(http), Traces(api.services)
        with encoder_held(api.services), connect(api) as connection:
            body = wav(seconds=0.1)
            connection.sendall(head(account, len(body)) + body)
            wait_until(lambda: api.services.executors.cpu.longest_wait_s() > 0)
            connection.sendall(more)
            connection.close()
            wait_until(lambda: 'pigwav_uploads_total{outcome="upload-broken"} 1.0' in metrics(account))
        wait_until(lambda: traces.of(account.id) == [])


@contextmanager
def encoder_held(services: Services) -> Iterator[None]:
    """The encoder's only thread is busy during the block."""
    begun, ended = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(services.executors.cpu(busy)))
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_user_who_is_deleted_meanwhile_leaves_nothing(
    api: ServedApi, account: Account, traces: Traces
) -> None:
    body = wav(seconds=1)
    with connect(api) as connection:
        connection.sendall(head(account, len(body)) + body[:-100])
        wait_until(lambda: traces.of(account.id) != [])
        account.http.delete("/users/me", headers=account.bearer)
        connection.sendall(body[-100:])

        status, document = answer(connection)

    assert (status, document["code"]) == (503, "upload-superseded")
    assert traces.of_store(account.id) == []


@pytest.mark.parametrize("limits", [{"max_open_uploads": 1}, {"max_buffered_bytes": 1000}])
def test_beyond_the_bounds_another_upload_is_refused_for_a_while(
    settings: Settings, limits: dict[str, int]
) -> None:
    body = wav(seconds=30)
    with served_with(settings, **limits) as (api, account):
        with connect(api) as connection:
            connection.sendall(head(account, len(body)) + body[:-100])
            wait_until(lambda: "pigwav_upload_held_bytes 0.0" not in metrics(account))

            assert_problem(account.upload_raw(wav(seconds=1)), 503, "overloaded")

            connection.sendall(body[-100:])
            assert answer(connection)[0] == 201
        assert account.upload_raw(wav(seconds=1)).status_code == 201


def test_another_user_s_change_is_refused_before_its_body_is_read(api: ServedApi, account: Account) -> None:
    path = f"/records/{account.recording(seconds=0.1)['id']}"
    with connect(api) as connection:
        lines = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 300000000\r\n\r\n"
        connection.sendall(f"PATCH {path} HTTP/1.1\r\n{lines}".encode())

        assert answer(connection)[0] == 401


def test_a_change_larger_than_any_title_is_refused(account: Account) -> None:
    path = f"/records/{account.recording(seconds=0.1)['id']}"

    assert_problem(
        account.http.patch(path, content=b"x" * 100_000, headers=account.bearer), 413, "upload-too-large"
    )


def metrics(account: Account) -> str:
    return account.http.get("/metrics").text


@contextmanager
def served_with(settings: Settings, **limits: object) -> Iterator[tuple[ServedApi, Account]]:
    """An API with other limits, and a user."""
    changed = settings.limits.model_copy(update=limits)
    with (
        served(settings.model_copy(update={"limits": changed})) as api,
        httpx2.Client(base_url=api.url) as http,
    ):
        yield api, register(http)
