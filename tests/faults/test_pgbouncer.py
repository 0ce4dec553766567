"""Two API processes, and the operator's commands, through a real PgBouncer in transaction mode, under kill -9.

PIGWAV_PGBOUNCER=1 runs other tests through a PgBouncer, too.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import httpx2
import pytest
from pydantic import SecretStr

from accounts import Account, register
from databases import empty_database, url_with
from e2e.open_upload import open_upload
from e2e.programs import NOTHING_WRONG, run_pigwav
from factories import wav
from faults.dying_api import ApiStarter, Died, KillableApi, api_starter
from moto_server import MotoServer
from pgbouncer import POOL_SIZE, PgBouncer, pgbouncer_before
from pigwav.devstack import StackAddress
from pigwav.devstack.postgres import SERVICE
from pigwav.settings import DatabaseSettings, Settings, UploadLimits
from pigwav.usecases.add_recording import AddRecording
from pigwav.usecases.sweep import Swept
from waiting import wait_until

TIMEOUT_S = 2.0
_WRITES_THE_ROW = AddRecording._declare.__qualname__  # noqa: SLF001 - fails if it is renamed


@pytest.fixture(scope="module")
def bouncer(stack: StackAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgBouncer]:
    with pgbouncer_before(stack.database_url, tmp_path_factory.mktemp("pgbouncer")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(bouncer: PgBouncer, moto: MotoServer) -> Settings:
    """Each process may have more connections than PgBouncer has. Sweeps only when asked."""
    owner = empty_database(bouncer.url)
    url = url_with(owner, username=SERVICE)
    migrated = run_pigwav("migrate", PIGWAV_MIGRATE_DATABASE_URL=owner, PIGWAV_DATABASE_URL=url)
    assert migrated.returncode == 0, migrated
    return Settings(
        sweep_every_s=3600,
        database=DatabaseSettings(url=SecretStr(url), pool_size=POOL_SIZE + 3, timeout_s=TIMEOUT_S),
        store=moto.provisioned(),
        limits=UploadLimits(lease_s=1),
    )


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStarter]:
    with api_starter(tmp_path_factory.mktemp("apis")) as opened:
        yield opened


@dataclass(frozen=True)
class Running:
    """`mortal` is new in each test and may be killed."""

    settings: Settings
    mortal: KillableApi
    other: KillableApi
    account: Account
    of_other: Account

    def command(self, *words: str) -> str:
        """The output of `pigwav` with this configuration."""
        store = self.settings.store
        assert self.settings.database.url
        assert store.secret_key
        ended = run_pigwav(
            *words,
            PIGWAV_DATABASE_URL=self.settings.database.url.get_secret_value(),
            PIGWAV_S3_ENDPOINT=str(store.endpoint),
            PIGWAV_S3_BUCKET=str(store.bucket),
            PIGWAV_S3_ACCESS_KEY=str(store.access_key),
            PIGWAV_S3_SECRET_KEY=store.secret_key.get_secret_value(),
        )
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        return ended.stdout

    def doctor(self) -> dict[str, object]:
        """doctor's findings without the number of recordings."""
        findings: dict[str, object] = json.loads(self.command("doctor", "--json"))
        findings.pop("checked")
        return findings


@pytest.fixture(scope="module")
def other(settings: Settings, starter: ApiStarter) -> KillableApi:
    return starter.start(settings)


@pytest.fixture
def running(settings: Settings, starter: ApiStarter, other: KillableApi) -> Iterator[Running]:
    mortal = starter.start(settings)
    with httpx2.Client(base_url=mortal.url) as http, httpx2.Client(base_url=other.url) as http_of_other:
        account = register(http)
        yield Running(settings, mortal, other, account, Account(http_of_other, account.id, account.token))
    mortal.kill()


def plays(account: Account, recording: dict) -> bool:
    answer = account.http.get("/record", params={"id": recording["id"], "user": account.id})
    return answer.status_code == 200 and sha256(answer.content).hexdigest() == recording["sha256"]


def test_uploads_links_deletes_and_the_operators_commands(running: Running) -> None:
    recording, deleted = (running.account.recording() for _ in range(2))

    assert plays(running.of_other, recording)
    assert running.of_other.http.delete(
        f"/records/{deleted['id']}", headers=running.account.bearer
    ).is_success
    assert running.command("sweep") == "Aborted: 0 uploads. Removed: 1 recordings' bytes.\n"
    assert running.doctor() == NOTHING_WRONG


def test_an_upload_whose_process_is_killed_leaves_nothing(running: Running) -> None:
    running.mortal.arm()
    with open_upload(running.account, wav(seconds=1)):
        wait_until(lambda: f"after {_WRITES_THE_ROW}" in running.mortal.steps())
        running.mortal.kill()

    wait_until(lambda: swept(running.other).aborted_uploads == 1)
    assert running.doctor() == NOTHING_WRONG


def swept(api: KillableApi) -> Swept:
    done = api.sweep()
    assert done is not None, "the database or the store was not available"
    return done


def test_a_sweep_whose_process_is_killed_is_taken_over(running: Running) -> None:
    delete(running, running.account.recording())
    running.mortal.arm()
    assert swept(running.mortal).removed == 1
    middle = running.mortal.steps().index("before delete") + 1

    delete(running, running.account.recording())
    running.mortal.arm(middle)
    with pytest.raises(Died):
        running.mortal.sweep()

    assert not swept(running.other).ran, "the lease of the killed process has not expired"
    wait_until(lambda: swept(running.other).removed == 1)
    assert running.doctor() == NOTHING_WRONG


def delete(running: Running, recording: dict) -> None:
    assert running.account.http.delete(
        f"/records/{recording['id']}", headers=running.account.bearer
    ).is_success


def test_a_pgbouncer_that_is_killed_and_started_again_costs_no_recording(
    running: Running, bouncer: PgBouncer
) -> None:
    recording = running.account.recording()
    with open_upload(running.account, wav(seconds=1)) as upload:
        bouncer.kill()
        assert running.of_other.http.get("/readyz").status_code == 503
        bouncer.start()
        status, document = upload.finish()

    assert status == 201 or document["code"] == "database-unavailable"
    wait_until(lambda: plays(running.account, recording))
    wait_until(lambda: running.account.upload_raw(wav(seconds=1)).status_code == 201)
    wait_until(lambda: (done := running.other.sweep()) is not None and done.ran)
    wait_until(lambda: running.doctor() == NOTHING_WRONG)


def test_both_processes_use_fewer_sessions_of_postgres_than_they_have_connections(running: Running) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = [
            *pool.map(lambda _: running.account.upload_raw(wav(seconds=0.1)).status_code, range(8)),
            *pool.map(lambda _: running.of_other.upload_raw(wav(seconds=0.1)).status_code, range(8)),
        ]

    assert answers == [201] * 16
