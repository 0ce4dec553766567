"""One address, or one user, takes what it can: another one is still served."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx2
import pytest

from accounts import Account, register
from api.sockets import Answer
from api.test_limits import ADPCM
from e2e.open_upload import open_upload
from factories import wav
from logged import logged
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import ServedApi, served
from waiting import wait_until

GREEDY, HONEST = "127.0.0.1", "127.0.0.2"
FIELD = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
FORM = "POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"


@contextmanager
def api(settings: Settings, **sections: dict[str, Any]) -> Iterator[ServedApi]:
    changed = {name: getattr(settings, name).model_copy(update=value) for name, value in sections.items()}
    with served(settings.model_copy(update=changed)) as running:
        yield running


@contextmanager
def two_clients(
    settings: Settings, **sections: dict[str, Any]
) -> Iterator[tuple[ServedApi, httpx2.Client, httpx2.Client, ExitStack]]:
    """The API, a client that takes what it can, another one at another address, and a stack for what is held."""
    with (
        api(settings, **sections) as running,
        client_of(running, GREEDY) as theirs,
        client_of(running, HONEST) as ours,
        ExitStack() as held,
    ):
        yield running, theirs, ours, held


@contextmanager
def client_of(running: ServedApi, address: str) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(local_address=address)
    with httpx2.Client(base_url=running.url, timeout=60, transport=transport) as http:
        yield http


def connect(running: ServedApi, address: str) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", running.port), 30, (address, 0)))


def refused_share(answer: httpx2.Response, share: str) -> None:
    assert assert_problem(answer, 503, "overloaded")["limit"] == share


def test_one_user_does_not_take_all_uploads(settings: Settings) -> None:
    with two_clients(settings, limits={"max_open_uploads": 8}) as (running, theirs, ours, stack):
        greedy, other = register(theirs), register(ours)
        for _ in range(7):
            stack.enter_context(open_upload(greedy, wav(seconds=1)))
        wait_until(lambda: b"pigwav_uploads_open 7.0" in running.services.metrics.exposition())

        refused_share(greedy.upload_raw(wav(seconds=0.1)), "uploads-share")
        refused_share(register(theirs).upload_raw(wav(seconds=0.1)), "uploads-share")  # the same address
        assert other.upload_raw(wav(seconds=0.1)).status_code == 201


def test_one_user_does_not_take_all_decoders(settings: Settings) -> None:
    with two_clients(settings, limits={"max_decoders": 8}) as (running, theirs, ours, stack):
        greedy, other = register(theirs), register(ours)
        for _ in range(7):
            stack.enter_context(open_upload(greedy, ADPCM))
        wait_until(lambda: running.services.add_recording.converter.decoders.free == 1)

        refused_share(greedy.upload_raw(ADPCM), "decoders-share")
        assert greedy.upload_raw(wav(seconds=0.1)).status_code == 201, "this one needs no decoder"
        assert other.upload_raw(ADPCM).status_code == 201


def test_one_address_does_not_take_all_downloads(settings: Settings) -> None:
    with two_clients(settings, http={"max_open_downloads": 8}) as (_, theirs, ours, stack):
        account = register(theirs)
        body = wav(seconds=220, rate=32_000, channels=1, content="silence")  # more than socket buffers hold
        link = account.upload_raw(body, bitrate=320).json()["url"]
        for _ in range(7):
            stack.enter_context(theirs.stream("GET", link))

        refused_share(theirs.get(link), "downloads-share")
        assert ours.get(link, headers={"Range": "bytes=0-99"}).status_code == 206


def test_one_address_does_not_take_all_connections(settings: Settings) -> None:
    with api(settings, http={"max_connections": 8}) as running, ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(connect(running, GREEDY))

        for _ in range(9):  # what is refused and lingers takes no place of another
            answer = Answer.read(stack.enter_context(connect(running, GREEDY)))
            answer.assert_problem(503, "overloaded")
            assert answer.document()["limit"] == "connections-share"
        with client_of(running, HONEST) as ours:
            assert ours.get("/healthz").status_code == 200


def test_connections_of_a_trusted_proxy_are_nobody_s_share(settings: Settings) -> None:
    with (
        api(settings, http={"max_connections": 8, "trusted_proxies": GREEDY}) as running,
        ExitStack() as stack,
    ):
        for _ in range(8):
            connection = stack.enter_context(connect(running, GREEDY))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert Answer.read(connection).status == 200


def held_form(running: ServedApi, address: str, held_bytes: int) -> "closing[socket.socket]":
    """A form whose file precedes its credentials, and that then waits."""
    with ExitStack() as stack:
        connection = stack.enter_context(connect(running, address))
        connection.sendall((FORM + "Content-Length: 9999999\r\n\r\n" + FILE).encode() + bytes(held_bytes))
        stack.pop_all()
    return closing(connection)


@pytest.mark.parametrize("honest_address", [HONEST, GREEDY])
def test_who_fills_the_memory_of_unauthenticated_forms_loses_its_own(
    settings: Settings, honest_address: str
) -> None:
    """1 MiB for all forms. Three greedy ones hold 900 kB; the honest one, of 86 kB, needs more room than is left."""
    with (
        api(settings, limits={"max_buffered_bytes": 16 * 2**20}) as running,
        client_of(running, honest_address) as ours,
        ExitStack() as stack,
    ):
        account = register(ours)
        memory = running.services.open_uploads.unauthenticated
        greedy = [stack.enter_context(held_form(running, GREEDY, 330_000)) for _ in range(3)]
        wait_until(lambda: memory.held_bytes > 980_000)

        answer = ours.post("/records", content=file_first(account, wav(seconds=1)), headers=FORM_HEADERS)

        assert answer.status_code == 201, answer.text
        [refused], _, _ = select.select(greedy, [], [], 30)
        Answer.read(refused).assert_problem(503, "overloaded")
        wait_until(lambda: memory.held_bytes < 700_000)


FORM_HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}


def file_first(account: Account, body: bytes) -> bytes:
    fields = FIELD.format("user_id", account.id) + FIELD.format("token", account.token)
    return FILE.encode() + body + b"\r\n" + fields.encode() + b"--b--\r\n"


def test_a_form_whose_credentials_come_first_needs_no_memory_of_those(settings: Settings) -> None:
    with (
        api(settings, limits={"max_buffered_bytes": 16 * 2**20}) as running,
        client_of(running, GREEDY) as ours,
        ExitStack() as stack,
    ):
        account = register(ours)
        memory = running.services.open_uploads.unauthenticated
        held = stack.enter_context(held_form(running, GREEDY, 2**20 - 1))
        wait_until(lambda: memory.held_bytes == 2**20 - 1)

        assert account.upload_form(wav(seconds=1)).status_code == 201
        assert select.select([held], [], [], 0)[0] == [], "it still waits"


def test_a_proxy_that_is_not_trusted_is_named_once(settings: Settings) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    with api(settings) as running, client_of(running, HONEST) as ours, logged() as lines:
        for headers in ({}, forwarded, forwarded):
            assert ours.get("/healthz", headers=headers).status_code == 200
        [line] = [line for line in lines if line["event"] == "forwarded_by_an_untrusted_address"]

    assert line["address"] == HONEST
    assert "PIGWAV_TRUSTED_PROXIES" in line["hint"]


def test_a_trusted_proxy_is_not_named(settings: Settings) -> None:
    with (
        api(settings, http={"trusted_proxies": HONEST}) as running,
        client_of(running, HONEST) as ours,
        logged() as lines,
    ):
        assert ours.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200
        assert "forwarded_by_an_untrusted_address" not in [line["event"] for line in lines]
