"""A running `pigwav up`: output, restarts of child processes, access to its data folder."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from accounts import register
from e2e.programs import run_pigwav
from factories import wav
from pigwav.devstack import running
from ports import reserved_ports
from running_up import RunningUp, gone, pigwav_up
from waiting import wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def up(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    folder = tmp_path_factory.mktemp("up")
    with pigwav_up(folder / "данные наши", "--port", "0", "--workers", "2", log=folder / "up.log") as up:
        yield up


def status(url: str) -> int:
    """The status of a GET; 0 if there is no response."""
    try:
        return httpx2.get(url, timeout=60).status_code
    except httpx2.TransportError:
        return 0


def test_it_is_ready_when_it_says_so(up: RunningUp):
    assert up.announcement.startswith("PigWav is ready: http://127.0.0.1:")
    assert status(f"{up.url}/readyz") == 200


def test_the_three_commands_that_it_shows_work_when_copied(up: RunningUp, tmp_path: Path):
    register, upload, download = (
        shlex.split(line) for line in up.announcement.splitlines() if "curl" in line
    )
    (tmp_path / "recording.wav").write_bytes(wav(seconds=1))
    user = json.loads(run(filled(register, NAME="Вася"), tmp_path))
    recording = json.loads(run(filled(upload, USER_ID=user["id"], TOKEN=user["token"]), tmp_path))
    run(filled(download, RECORDING_ID=recording["id"], USER_ID=user["id"]), tmp_path)
    assert (tmp_path / "recording.mp3").stat().st_size == recording["bytes"]


def filled(command: list[str], **placeholders: object) -> list[str]:
    for name, value in placeholders.items():
        assert any(name in word for word in command)
        command = [word.replace(name, str(value)) for word in command]
    return command


def run(command: list[str], folder: Path) -> bytes:
    return subprocess.run([*command, "--silent"], cwd=folder, check=True, capture_output=True).stdout


def test_the_run_file_tells_other_commands_where_everything_is_and_is_private(up: RunningUp):
    told = json.loads((up.data / "run.json").read_text())
    assert told["pid"] == up.process.pid
    assert told["url"] == up.url
    assert told["s3_endpoint"].endswith(str(told["ports"]["s3.port"]))
    assert stat.S_IMODE((up.data / "run.json").stat().st_mode) == 0o600
    address = running(up.data)
    assert address is not None
    assert address.s3_secret_key == told["s3_secret_key"]


def test_a_second_up_on_the_folder_is_refused_in_one_sentence(up: RunningUp):
    second = run_pigwav("up", "--data", up.data, "--port", "0")
    assert second.returncode == 1
    assert second.stderr == (
        f"pigwav: Another PigWav (process {up.process.pid}) runs on the data folder {up.data}.\n"
    )
    assert not second.stdout


def test_doctor_works_beside_it(up: RunningUp):
    assert run_pigwav("doctor", "--data", up.data).returncode == 0


def test_nothing_but_the_api_listens_beyond_its_own_purpose(up: RunningUp):
    listening = [
        at.laddr
        for process in up.family()
        for at in process.net_connections("inet")
        if at.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_secrets_are_in_no_command_line_and_in_no_log(up: RunningUp):
    secret = json.loads((up.data / "run.json").read_text())["s3_secret_key"]
    assert not any(secret in " ".join(process.cmdline()) for process in up.family())
    assert secret not in up.log.read_text()
    assert not any(secret in log.read_text() for log in (up.data / "logs").iterdir())


def test_metrics_of_all_workers_are_answered_together_and_the_dead_do_not_count(up: RunningUp):
    api = workers(up)
    assert len(api) == 2
    assert "pigwav_uploads_open 0.0" in httpx2.get(f"{up.url}/metrics").text
    gauges = up.data / "metrics"
    wait_until(lambda: all(list(gauges.glob(f"gauge_live*_{worker.pid}.db")) for worker in api))
    api[0].kill()
    wait_until(lambda: not list(gauges.glob(f"gauge_live*_{api[0].pid}.db")))
    wait_until(lambda: len(workers(up)) == 2)


def workers(up: RunningUp) -> list[psutil.Process]:
    children = psutil.Process(up.process.pid).children()
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "pigwav serve" in " ".join(child.cmdline())]


def test_an_api_that_is_killed_comes_back_and_nobody_is_refused(up: RunningUp):
    before = workers(up)
    for worker in before:
        worker.kill()
    assert gone(before, within_s=30)
    assert status(f"{up.url}/healthz") == 200, "a request waits in the queue until the API is back"


@pytest.mark.parametrize("part", ["postgres", "weed"])
def test_a_part_that_is_killed_comes_back_and_the_service_with_it(up: RunningUp, part: str):
    dead = up.child(part)
    dead.kill()
    assert gone([dead], within_s=30)
    wait_until(lambda: status(f"{up.url}/readyz") == 200, within_s=60)
    assert up.child(part).pid != dead.pid


@contextmanager
def foreign_program(port: int) -> Iterator[None]:
    """Listens on the port as soon as it is free."""
    with ExitStack() as program:

        def takes_it() -> bool:
            with suppress(OSError):
                program.enter_context(socket.create_server(("127.0.0.1", port)))
                return True
            return False

        wait_until(takes_it)
        yield


@pytest.mark.long
def test_a_store_whose_port_another_program_takes_comes_back_on_another_and_links_go_on(running_up):
    """The other program takes the port while the store is down. That is 0.1 s, so the test suspends `up`."""
    up = running_up()
    with httpx2.Client(base_url=up.url, timeout=60) as http:
        account = register(http)
        link = account.recording(seconds=1)["url"]
        before = json.loads((up.data / "run.json").read_text())
        port = before["ports"]["s3.port"]
        up.process.send_signal(signal.SIGSTOP)
        dead = up.child("weed")
        dead.kill()
        assert gone([dead], within_s=30)
        with foreign_program(port):
            up.process.send_signal(signal.SIGCONT)
            wait_until(lambda: json.loads((up.data / "run.json").read_text()) != before, within_s=60)
            wait_until(lambda: status(link) == 200, within_s=60)
            now = json.loads((up.data / "run.json").read_text())
            assert {name for name in now if now[name] != before[name]} == {"ports", "s3_endpoint"}
            assert now["s3_endpoint"] == f"http://127.0.0.1:{now['ports']['s3.port']}"
            assert now["ports"]["s3.port"] != port
            assert status(account.recording(seconds=1)["url"]) == 200
        assert "seaweedfs_ports_changed" in up.log.read_text()


@pytest.mark.long
def test_operators_see_all_workers_at_their_address_also_when_one_has_died(stack, running_up):
    with reserved_ports(1) as (port,):
        bind = {"PIGWAV_OPERATOR_BIND": f"127.0.0.1:{port}", "PIGWAV_MAX_OPEN_UPLOADS": "7"}
        up = running_up("--port", "0", "--workers", "2", environment=stack.environment() | bind)
        operators = f"http://127.0.0.1:{port}"

        def both_are_counted() -> bool:
            return "pigwav_uploads_limit 14.0" in httpx2.get(f"{operators}/metrics", timeout=60).text

        wait_until(both_are_counted)
        assert status(f"{up.url}/metrics") == 404
        dead = workers(up)[0]
        dead.kill()
        assert gone([dead], within_s=30)
        wait_until(lambda: len(workers(up)) == 2)
        wait_until(both_are_counted)
        assert status(f"{operators}/readyz") == 200
        assert up.stop() == 0
        assert status(f"{operators}/healthz") == 0


def test_with_everything_configured_it_starts_the_api_alone(stack, running_up, tmp_path: Path):
    up = running_up(environment=stack.environment())
    assert status(f"{up.url}/readyz") == 200
    assert len(up.family()) == 1
    assert not up.data.exists()
    family = up.family()
    assert up.stop() == 0
    assert gone(family, within_s=0)


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid user namespaces for this test")
def test_root_without_user_namespaces_runs_postgres_as_nobody(running_up, tmp_path: Path):
    """The situation in Docker. The data folder is in a folder of root's with mode 0700."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "data").mkdir(mode=0o755)
    up = running_up(
        data=home / "data", prefix=[sys.executable, str(Path(__file__).parent / "without_userns.py")]
    )
    assert status(f"{up.url}/readyz") == 200
    assert (home / "data" / "postgres").stat().st_uid == 65534
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700, "other programs that run as nobody reach it"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert up.stop(signal.SIGINT) == 0


@pytest.mark.long
def test_the_smallest_address_space_that_is_accepted_is_enough(running_up):
    up = running_up(prefix=("sh", "-c", 'ulimit -v 2621440 && exec "$@"', "sh"))
    with httpx2.Client(base_url=up.url, timeout=60) as http:
        assert status(register(http).recording(seconds=60)["url"]) == 200
    assert "child_process_died" not in up.log.read_text()
