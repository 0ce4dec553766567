"""The main journey on a real MinIO: `pigwav migrate`, `provision` and `serve` with external servers."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from databases import fresh_database
from e2e.behind import Behind, behind_address
from e2e.playing import played
from e2e.programs import NOTHING_WRONG, SWEEPS_ONLY_WHEN_ASKED, doctor, run_pigwav
from e2e.serve import serving
from factories import wav
from minio_server import MinioServer
from pigwav.devstack import StackAddress
from waiting import wait_until


@pytest.fixture(scope="module")
def parts(stack: StackAddress, minio: MinioServer) -> StackAddress:
    """The session's Postgres with a new database, and a bucket on MinIO with the service's limited key."""
    store = minio.provisioned()
    assert store.secret_key
    return StackAddress(
        fresh_database(stack.database_url).replace("+psycopg2", "", 1),
        minio.endpoint,
        store.bucket,
        store.access_key,
        store.secret_key.get_secret_value(),
    )


@pytest.fixture(scope="module")
def inside(parts: StackAddress) -> Iterator[Behind]:
    with behind_address(parts) as opened:
        yield opened


@pytest.fixture(scope="module")
def account(parts: StackAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A user of a `pigwav serve` with these servers."""
    environment = parts.environment() | SWEEPS_ONLY_WHEN_ASKED
    with (
        serving(environment, tmp_path_factory.mktemp("serve") / "serve.log") as url,
        httpx2.Client(base_url=url, timeout=30) as http,
    ):
        yield register(http)


@pytest.mark.parametrize("seconds", [1, 200], ids=["one object", "several parts"])
def test_what_was_uploaded_plays_from_its_link(account: Account, tmp_path: Path, seconds: int) -> None:
    body = wav(seconds=seconds)
    recording = account.upload_form(body, bitrate="320").json()

    mp3 = httpx2.get(recording["url"]).content
    tail = httpx2.get(recording["url"], headers={"Range": "bytes=-9"})

    assert (tail.status_code, tail.content) == (206, mp3[-9:])
    (tmp_path / "a.mp3").write_bytes(mp3)
    assert len(played(tmp_path / "a.mp3")) * 2 == len(body) - 44


def test_rows_and_objects_agree_until_somebody_deletes_behind_its_back(
    account: Account, inside: Behind, parts: StackAddress, tmp_path: Path
) -> None:
    recording = account.recording()
    code, findings = doctor(tmp_path, **parts.environment())
    assert (code, findings | {"checked": 0}) == (0, NOTHING_WRONG | {"checked": 0})

    [key] = [key for key in inside.objects(account.id) if recording["id"] in key]
    inside.s3.delete_object(Bucket=inside.bucket, Key=key)

    code, findings = doctor(tmp_path, **parts.environment())
    assert (code, findings["missing"]) == (1, [key])
    assert httpx2.get(recording["url"]).status_code >= 500
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)


def test_a_deleted_recording_is_gone_at_once_and_swept_later(
    account: Account, inside: Behind, parts: StackAddress
) -> None:
    recording = account.recording()
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)
    assert httpx2.get(recording["url"]).status_code == 404

    swept = run_pigwav("sweep", **parts.environment())

    assert (swept.returncode, swept.stderr) == (0, "")
    assert not [key for key in inside.objects(account.id) if recording["id"] in key]
    assert "deleted" not in inside.states()


def test_an_upload_that_breaks_off_leaves_nothing(
    account: Account, inside: Behind, parts: StackAddress
) -> None:
    before = inside.objects()

    def breaking() -> Iterator[bytes]:
        yield wav(seconds=200)[:20_000_000]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        account.http.post(
            "/records",
            params={"user": account.id, "bitrate": 320},
            content=breaking(),
            headers=account.bearer | {"Content-Type": "audio/wav"},
        )

    wait_until(lambda: inside.open_uploads() == [] and "pending" not in inside.states())
    assert inside.objects() == before
