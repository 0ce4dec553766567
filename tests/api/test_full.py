"""If a disk is full or nearly full, uploads get 507 and everything else works."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from databases import run_as_owner
from factories import wav
from fakes.faulty_store import FaultyStore
from fakes.s3_server import answering, fictional, xml_error
from pigwav.errors import StorageFull
from pigwav.settings import DiskSettings, Settings
from pigwav.store.memory import MemoryStore
from problem_assertions import assert_problem
from serving import ServedApi, served
from traces import Traces

MIB = 1024 * 1024


@contextmanager
def api(
    settings: Settings, folder: Path | None = None, *, keep: int = 0, **more: object
) -> Iterator[tuple[ServedApi, httpx2.Client]]:
    """An API and a client. `keep`: the minimum of free bytes on the disk of `folder`."""
    disk = DiskSettings.model_validate({"folders": str(folder or ""), "min_free_bytes": keep})
    with (
        served(settings.model_copy(update={"disk": disk}), **more) as running,
        httpx2.Client(base_url=running.url, timeout=30) as http,
    ):
        yield running, http


def again(account: Account, http: httpx2.Client) -> Account:
    """The same user, with the client of another API."""
    return Account(http, account.id, account.token)


def assert_full(answer: httpx2.Response) -> None:
    document = assert_problem(answer, 507, "storage-full")
    assert answer.headers["retry-after"] == "10"
    assert "detail" not in document


def test_a_disk_that_is_nearly_full_takes_no_upload_and_everything_else(
    settings: Settings, tmp_path: Path
) -> None:
    with api(settings, tmp_path, keep=1) as (_, http):
        account = register(http)
        kept, to_delete = account.recording(), account.recording()
    with api(settings, tmp_path, keep=10**18) as (running, http):
        full = again(account, http)

        assert_full(full.upload_raw(wav(seconds=0.5)))
        assert_full(full.upload_form(wav(seconds=0.5)))
        assert Traces(running.services).of(account.id) == ["ready", "ready"]
        assert http.get("/record", params={"id": kept["id"], "user": account.id}).status_code == 200
        assert http.get("/records", headers=full.bearer).status_code == 200
        assert http.delete(f"/records/{to_delete['id']}", headers=full.bearer).status_code == 204
        assert register(http)
        assert http.get("/readyz").status_code == 200
        assert f'pigwav_disk_free_bytes{{folder="{tmp_path}"}}' in http.get("/metrics").text
        assert 'pigwav_uploads_total{outcome="storage-full"} 2.0' in http.get("/metrics").text
    with api(settings, tmp_path, keep=1) as (_, http):
        assert again(account, http).upload_raw(wav(seconds=0.5)).status_code == 201


def test_the_metrics_say_how_much_is_free_also_where_nobody_uploads(
    settings: Settings, tmp_path: Path
) -> None:
    with api(settings, tmp_path) as (_, http):
        found = re.search(r"^pigwav_disk_free_bytes\{.*\} (\S+)$", http.get("/metrics").text, re.MULTILINE)

    assert found
    assert float(found[1]) > 0


def test_an_upload_is_refused_before_its_body_is_asked_for(settings: Settings, tmp_path: Path) -> None:
    with api(settings, tmp_path, keep=10**18) as (running, http):
        account = register(http)
        head = (
            f"POST /records?user={account.id} HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
            f"Authorization: Bearer {account.token}\r\nContent-Length: {10**9}\r\nExpect: 100-continue\r\n\r\n"
        )
        with closing(socket.create_connection(("127.0.0.1", running.port), timeout=30)) as connection:
            connection.sendall(head.encode())

            assert connection.recv(65536).startswith(b"HTTP/1.1 507 ")


def test_a_refusal_of_a_large_body_arrives(settings: Settings, tmp_path: Path) -> None:
    with api(settings, tmp_path, keep=10**18) as (_, http):
        assert_full(register(http).upload_raw(wav(seconds=1) + bytes(48 * MIB)))


def full() -> None:
    raise StorageFull


@pytest.mark.parametrize("operation", ["put", "put_part"])
def test_a_store_that_says_it_is_full_keeps_nothing_and_is_left_alone_for_a_while(
    settings: Settings, operation: str
) -> None:
    long = {"seconds": 135, "rate": 48000, "channels": 1, "content": "silence"}  # more than one part's MP3
    body = wav(**long) if operation == "put_part" else wav(seconds=0.5)
    store = FaultyStore(MemoryStore(), before={operation: full})
    with api(settings, store=store) as (running, http):
        account = register(http)
        assert_full(account.upload_raw(body, bitrate=320))
        assert Traces(running.services).of_store(account.id) == []
        assert set(Traces(running.services).of(account.id)) <= {"deleted"}
        asked = len(store.asked)
        store.before.clear()

        assert_full(account.upload_raw(body))
        assert len(store.asked) == asked
        assert http.get("/records", headers=account.bearer).status_code == 200


def test_a_database_that_says_it_is_full_is_told_as_507(settings: Settings) -> None:
    """A trigger simulates the full disk: it raises the same error (SQLSTATE 53100)."""
    with api(settings, store=MemoryStore()) as (running, http):
        account = register(http)
        url = settings.database.url.get_secret_value()
        run_as_owner(
            url,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full USING MESSAGE = 'could not extend file'; END $$",
            f"CREATE TRIGGER full_disk BEFORE INSERT ON recordings FOR EACH ROW"
            f" WHEN (NEW.user_id = {account.id}) EXECUTE FUNCTION full_disk()",
        )
        try:
            assert_full(account.upload_raw(wav(seconds=0.5)))
        finally:
            run_as_owner(url, "DROP TRIGGER full_disk ON recordings", "DROP FUNCTION full_disk()")

        assert Traces(running.services).of(account.id) == []
        assert_full(account.upload_raw(wav(seconds=0.5)))


def test_an_s3_server_whose_disk_is_full_is_told_as_507(settings: Settings) -> None:
    """The response is MinIO's."""
    with answering(lambda _: xml_error(507, "XMinioStorageFull")) as endpoint:
        elsewhere = settings.model_copy(update={"store": fictional(endpoint)})
        with api(elsewhere) as (_, http):
            account = register(http)
            answer = account.upload_raw(wav(seconds=0.5))

            assert_full(answer)
            assert not re.search("minio|disk of|bucket", answer.text, re.IGNORECASE)
