"""Long uploads with stored parts, while the `up` that receives them is stopped or killed."""

import hashlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from e2e.behind import behind, behind_address
from e2e.open_upload import OpenUpload, long_wav, open_upload
from e2e.programs import NOTHING_WRONG, SWEEPS_ONLY_WHEN_ASKED, doctor, processes_of, run_pigwav
from factories import wav
from pigwav.devstack import stack_for
from ports import PORTS
from running_up import STOP_WITHIN_S, RunningUp, pigwav_up
from waiting import wait_until

StartUp = Callable[..., RunningUp]

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@contextmanager
def somebody(up: RunningUp) -> Iterator[Account]:
    with httpx2.Client(base_url=up.url, timeout=60) as http:
        yield register(http)


@contextmanager
def long_upload(up: RunningUp, account: Account) -> Iterator[OpenUpload]:
    """An open upload whose parts 1 and 2 are stored."""
    with open_upload(account, long_wav(), bitrate=320) as upload, behind(up.data) as inside:
        wait_until(lambda: inside.parts_sent() == [1, 2], within_s=60)
        yield upload


def stored(account: Account, body: bytes, **query: object) -> dict:
    answer = account.upload_raw(body, **query)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_after_a_kill_sweep_removes_the_upload_whose_lease_ran_out_and_nothing_acknowledged(
    running_up: StartUp,
) -> None:
    up = running_up(environment=SWEEPS_ONLY_WHEN_ASKED | {"PIGWAV_LEASE_S": "1"})
    with somebody(up) as account:
        acknowledged = [
            stored(account, wav(seconds=0.5)),
            stored(account, wav(seconds=150, rate=32_000, channels=1), bitrate=320),
        ]
        with long_upload(up, account):
            up.process.kill()
            up.process.wait()

    again = running_up(environment=SWEEPS_ONLY_WHEN_ASKED)
    with behind(again.data) as inside:
        assert inside.states() == ["ready", "ready", "pending"]
        [key] = inside.open_uploads()
        wait_until(lambda: doctor(again.data) == (1, {"checked": 2} | NOTHING_WRONG | {"pending": [key]}))

        swept = run_pigwav("sweep", "--data", again.data)

        assert swept.stdout == "Aborted: 1 uploads. Removed: 1 recordings' bytes.\n", swept
        assert inside.states() == ["ready", "ready"]
        assert len(inside.objects()) == 2
        assert inside.open_uploads() == []
    assert doctor(again.data) == (0, {"checked": 2} | NOTHING_WRONG)
    for recording in acknowledged:
        link = {"id": recording["id"], "user": recording["user"]}
        mp3 = httpx2.get(f"{again.url}/record", params=link).content
        assert hashlib.sha256(mp3).hexdigest() == recording["sha256"]


@dataclass(frozen=True)
class Stopped:
    """The exit code of an `up`, the response to its open upload, and its data folder."""

    exit_code: int
    status: int
    recording: dict
    data: Path


@pytest.fixture(scope="module")
def stopped(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """Ctrl-C during a long upload that ends within the grace period, after another recording was deleted."""
    folder = tmp_path_factory.mktemp("stopped")
    with (
        pigwav_up(folder / "data", log=folder / "up.log", environment=SWEEPS_ONLY_WHEN_ASKED) as up,
        somebody(up) as account,
    ):
        account.http.delete(f"/records/{account.recording()['id']}", headers=account.bearer)
        with long_upload(up, account) as upload:
            up.process.send_signal(signal.SIGINT)
            wait_until(lambda: refuses(up))  # shutdown has begun
            status, recording = upload.finish()
        return Stopped(up.process.wait(STOP_WITHIN_S), status, recording, up.data)


def refuses(up: RunningUp) -> bool:
    try:
        httpx2.get(f"{up.url}/healthz")
    except httpx2.TransportError:
        return True
    return False


def test_a_long_upload_that_ends_within_the_grace_after_ctrl_c_gets_its_link(stopped: Stopped) -> None:
    assert (stopped.status, stopped.recording["duration_ms"]) == (201, 380_000)
    assert stopped.exit_code == 0
    assert processes_of(stopped.data) == []


def test_doctor_starts_a_stack_that_is_down_and_leaves_nothing_running(stopped: Stopped) -> None:
    assert doctor(stopped.data) == (0, {"checked": 1} | NOTHING_WRONG)
    assert processes_of(stopped.data) == []


def test_sweep_starts_a_stack_that_is_down_and_leaves_nothing_running(stopped: Stopped) -> None:
    swept = run_pigwav("sweep", "--data", stopped.data)

    assert swept.stdout == "Aborted: 0 uploads. Removed: 1 recordings' bytes.\n", swept
    assert processes_of(stopped.data) == []


def test_a_long_upload_that_does_not_end_within_the_grace_is_told_and_leaves_nothing(
    running_up: StartUp,
) -> None:
    up = running_up(environment={"PIGWAV_GRACE_S": "1"})
    with somebody(up) as account, long_upload(up, account) as upload:
        assert up.stop(signal.SIGINT) == 0
        status, problem = upload.answer()

    assert (status, problem["code"]) == (503, "shutting-down")
    assert "Traceback" not in up.log.read_text()
    assert processes_of(up.data) == []
    with stack_for(up.data, ports=PORTS) as address, behind_address(address) as inside:
        assert doctor(up.data, **address.environment()) == (0, {"checked": 0} | NOTHING_WRONG)
        assert (inside.states(), inside.objects(), inside.open_uploads()) == ([], [], [])
