"""The whole service under Compose: the main journey, the operator's view, and durability."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from deploy.engine import Container, docker, inspect, run, running
from deploy.pgadmin import logged_in, until_it_shows_its_login_page
from deploy.project import API, DATABASE, MINIO, NAME, PGADMIN, Project
from e2e.open_upload import open_upload
from e2e.playing import played
from e2e.programs import run_testapi
from factories import wav

KEPT_SECONDS = (0.5, 3)


@pytest.fixture
def kept(account: Account) -> Iterator[Callable[[], None]]:
    """Makes recordings. Returns a function that asserts that all of them are unchanged."""
    made = [account.recording(seconds=seconds) for seconds in KEPT_SECONDS]

    def check() -> None:
        for recording in made:
            answer = account.http.get(recording["url"])
            assert answer.status_code == 200, answer.text
            assert answer.headers["ETag"] == f'"{recording["sha256"]}"'
            assert len(answer.content) == recording["bytes"]

    yield check
    check()


def test_everything_is_healthy_and_what_runs_once_has_ended_well(apiapp: Project) -> None:
    states = apiapp.states()

    assert {name for name, state in states.items() if state == "healthy"} == {
        "pigwavdb",
        "pgadmin",
        "minio",
        "apiapp",
    }
    assert {name for name, state in states.items() if state == "exit 0"} == {
        "prepare",
        "migrate",
        "provision",
    }


def test_the_three_lines_of_testapi_end_in_an_mp3_that_plays(apiapp: Project, tmp_path: Path) -> None:
    service = f"http://localhost:{apiapp.settings['API_PUBLISHED_PORT']}"
    (tmp_path / "test.wav").write_bytes(wav(seconds=2))

    registered = run_testapi("-m", "reg_user", "-u", "testuser", "-a", service)
    user, token = re.findall(r": (\S+)", registered.stdout)
    sent = ("-d", user, "-t", token, "-i", "test.wav", "-a", service)
    link = (
        run_testapi("-m", "wav_upload", *sent, folder=tmp_path).stdout.removeprefix("Download link: ").strip()
    )
    run_testapi("-m", "mp3_download", "-o", "test.mp3", "-a", link, folder=tmp_path)

    assert link.startswith(f"{service}/record?id=")
    assert len(played(tmp_path / "test.mp3")) == 2 * 44_100 * 2


def test_rows_and_objects_are_where_operators_look(apiapp: Project, account: Account) -> None:
    made = account.recording(title="Стендап")
    [key, state] = apiapp.psql(f"SELECT object_key, state FROM recordings WHERE id = '{made['id']}'").split(
        "|"
    )

    assert state == "ready"
    assert re.fullmatch(rf"recordings/{account.id}/\d{{4}}/\d\d/{made['id']}\.mp3", key)
    head = apiapp.s3().head_object(Bucket="pigwav", Key=key)
    assert (head["ContentLength"], head["ContentType"]) == (made["bytes"], "audio/mpeg")


def test_mc_lists_the_object(apiapp: Project, account: Account) -> None:
    if run(["docker", "exec", MINIO.name, "mc", "--version"]).returncode:
        pytest.skip("this MinIO image has no mc")
    made = account.recording()
    mc = 'mc alias set --quiet root http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >&2 && mc "$@"'

    listing = MINIO.run("sh", "-c", mc, "mc", "ls", "--recursive", f"root/pigwav/recordings/{account.id}/")

    assert f"{made['id']}.mp3" in listing


def test_pgadmin_shows_the_server_and_the_console_answers(apiapp: Project) -> None:
    password = apiapp.settings["POSTGRES_PASSWORD"]
    until_it_shows_its_login_page(apiapp.url("PGADMIN_PORT"))
    with logged_in(apiapp.url("PGADMIN_PORT"), "admin@example.com", password) as pgadmin:
        assert pgadmin.connect(pgadmin.servers()["PigWav"])["connected"]

    console = httpx2.get(apiapp.url("MINIO_CONSOLE_PORT"), follow_redirects=True)
    assert console.status_code == 200
    assert "text/html" in console.headers["Content-Type"]


def test_the_root_key_is_nowhere_in_the_service_container(apiapp: Project) -> None:
    secret = apiapp.settings["MINIO_ROOT_PASSWORD"]

    assert secret in MINIO.environment.values()
    assert not {secret, "pigwavadmin"} & {*API.environment.values()}
    assert "PROVISION" not in API.run("sh", "-c", "cat /proc/*/environ 2>/dev/null")


def test_the_services_database_role_is_no_superuser_and_its_container_cannot_become_one(
    apiapp: Project, account: Account
) -> None:
    account.recording()
    roles = apiapp.psql(
        "SELECT DISTINCT usename, usesuper FROM pg_stat_activity JOIN pg_user USING (usename)"
        " WHERE application_name = 'pigwav'"
    )

    assert roles == "pigwavservice|f"
    assert apiapp.settings["POSTGRES_PASSWORD"] not in API.environment.values()


def test_another_provision_and_another_migrate_change_nothing(
    apiapp: Project, kept: Callable[[], None]
) -> None:
    for command in ("provision", "migrate"):
        apiapp.compose("--profile", "apiapp", "run", "--rm", "--no-deps", command)
    kept()


def test_after_down_and_up_every_link_still_plays(apiapp: Project, kept: Callable[[], None]) -> None:
    apiapp.down()
    assert apiapp.running() == set()
    apiapp.up("apiapp")

    kept()


@pytest.mark.parametrize("killed", [DATABASE, MINIO, PGADMIN, API], ids=lambda container: container.name)
def test_a_killed_container_recovers_and_nothing_acknowledged_is_lost(
    apiapp: Project, account: Account, kept: Callable[[], None], killed: Container
) -> None:
    killed.kill_main_process()
    killed.until_healthy()
    API.until_healthy()

    kept()
    assert account.recording(seconds=1)["bytes"]


def test_run_by_hand_beside_it_as_people_know_it(apiapp: Project, image: str) -> None:
    environment = {
        "POSTGTRES_SQL_URI": "postgresql://pigwavuser@quizdb_container:5432/pigwavdb",
        "PGPASSWORD": apiapp.settings["POSTGRES_PASSWORD"],
        "PIGWAV_S3_ENDPOINT": "http://minio:9000",
        "PIGWAV_S3_BUCKET": "pigwav",
        "PIGWAV_S3_ACCESS_KEY": "pigwavservice",
        "PIGWAV_S3_SECRET_KEY": apiapp.settings["PIGWAV_S3_SECRET_KEY"],
        "API_HOSTNAME": "localhost",
        "API_PORT": "8080",
    }
    options = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    network = ("--network", f"{NAME}_default", "-p", "127.0.0.1::8080")
    with running(image, "--read-only", "--cap-drop=ALL", *network, *options) as by_hand:
        by_hand.until_healthy()
        with httpx2.Client(base_url=f"http://127.0.0.1:{by_hand.published(8080)}", timeout=60) as http:
            account = register(http, f"by hand {by_hand.name[:8]}")
            made = account.recording()
            assert made["url"].startswith("http://localhost:8080/record?id=")

            stopped_well_while_an_upload_ends(by_hand, account)

    assert (
        apiapp.psql(f"SELECT count(*) FROM recordings WHERE user_id = {account.id} AND state = 'ready'")
        == "2"
    )


def stopped_well_while_an_upload_ends(container: Container, account: Account) -> None:
    """SIGTERM: new connections are refused, open uploads may end."""
    with open_upload(account, wav(seconds=5)) as upload:
        codes: list[int] = []
        stopping = threading.Thread(target=lambda: codes.append(container.stop()))
        stopping.start()
        until_refused(container)
        status, _ = upload.finish()
        stopping.join()

    assert status == 201
    assert codes == [0]


def until_refused(container: Container) -> None:
    """Waits until the service refuses connections from inside its container."""
    probe = "import socket, sys; sys.exit(socket.socket().connect_ex(('127.0.0.1', 8080)) == 0)"
    while run(["docker", "exec", container.name, "python", "-c", probe]).returncode:
        assert inspect(container.name)["State"]["Running"]


def test_the_service_container_can_do_little(apiapp: Project) -> None:
    host = inspect(API.name)["HostConfig"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert API.run("id", "-u") != "0"
    assert (
        docker("exec", API.name, "sh", "-c", "touch /opt/pigwav/x /etc/x 2>/dev/null || echo refused")
        == "refused"
    )
