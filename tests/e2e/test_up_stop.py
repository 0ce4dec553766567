"""The end of `pigwav up`: stopped, stopped twice, killed. And the next start."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

from accounts import Account, register
from factories import wav
from running_up import RunningUp, gone, plain_environment, up_command
from waiting import wait_until

pytestmark = pytest.mark.timeout(600)


@contextmanager
def account(up: RunningUp) -> Iterator[Account]:
    with httpx2.Client(base_url=up.url, timeout=30) as http:
        yield register(http)


def refuses(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", timeout=5)
    except httpx2.TransportError:  # closed or closing
        return True
    return False


@pytest.fixture
def hung_up_on() -> Iterator[None]:
    """Restores SIGHUP for child processes if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_asked_while_it_starts_it_exits_0_and_leaves_nothing(
    tmp_path: Path, embedded: None, hung_up_on: None
):
    with subprocess.Popen(
        up_command(tmp_path / "data"),
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until((tmp_path / "data" / "children.json").exists)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGHUP)
        announced, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert announced == b""
    assert gone(family, within_s=0)


class SlowUpload:
    """A raw upload that pauses half-way until `finish`. Returns when the service has started to process it."""

    def __init__(self, up: RunningUp, body: bytes) -> None:
        self._rest = body[len(body) // 2 :]
        self._connection = http.client.HTTPConnection(urlsplit(up.url).netloc, timeout=60)
        with account(up) as user:
            self._connection.putrequest("POST", f"/records?user={user.id}")
            headers = user.bearer | {"Content-Type": "audio/wav", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body[: len(body) // 2])
        wait_until(lambda: open_uploads(up) == 1)

    def finish(self) -> tuple[int, dict]:
        self._connection.send(self._rest)
        answer = self._connection.getresponse()
        return answer.status, json.load(answer)

    def __enter__(self) -> "SlowUpload":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def open_uploads(up: RunningUp) -> float:
    lines = httpx2.get(f"{up.url}/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("pigwav_uploads_open")))


def test_an_open_upload_gets_its_time_and_nothing_else_is_left(running_up):
    up = running_up()
    with SlowUpload(up, wav(seconds=5)) as upload:
        up.press_ctrl_c()
        wait_until(lambda: refuses(up.url))
        status, recording = upload.finish()
    assert status == 201
    assert up.process.wait(60) == 0

    again = running_up()
    assert played(again.url, recording) == 200
    assert_stops_without_leaving_anything(again)


def assert_stops_without_leaving_anything(up: RunningUp) -> None:
    family = up.family()
    assert up.stop(signal.SIGTERM) == 0
    assert gone(family, within_s=0)
    assert refuses(up.url)
    left = {path.name for path in up.data.iterdir()}
    assert left == {"lock", "logs", "postgres", "s3", "socket"}
    assert not list((up.data / "socket").iterdir())


def played(url: str, recording: dict) -> int:
    """The status of the recording's link. If it is 200, checks the length, too."""
    mp3 = httpx2.get(f"{url}/record", params={"id": recording["id"], "user": recording["user"]})
    assert mp3.status_code != 200 or len(mp3.content) == recording["bytes"]
    return mp3.status_code


@pytest.mark.long
def test_an_upload_that_takes_longer_than_that_leaves_nothing_behind(running_up):
    up = running_up(environment={"PIGWAV_GRACE_S": "1"})
    with SlowUpload(up, wav(seconds=60)):
        assert up.stop() == 0
    doctor = [sys.executable, "-m", "pigwav", "doctor", "--json", "--data", str(up.data)]
    checked = subprocess.run(doctor, env=plain_environment(), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_asked_twice_it_does_not_wait_for_the_upload(running_up):
    up = running_up(environment={"PIGWAV_GRACE_S": "3600"})
    with SlowUpload(up, wav(seconds=5)):
        family = up.family()
        up.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Stopping" in up.log.read_text())
        assert up.stop(signal.SIGINT) == 0
    assert gone(family, within_s=0)


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux, child processes end with their parent")
def test_killed_it_leaves_no_orphan_and_the_next_one_has_every_acknowledged_recording(running_up):
    up = running_up()
    with account(up) as user:
        recordings = [user.recording(seconds=0.2) for _ in range(10)]
    with SlowUpload(up, wav(seconds=60)):
        family = up.family()
        up.process.kill()
        assert gone(family, within_s=30)
    up.process.wait()
    again = running_up()
    assert [played(again.url, recording) for recording in recordings] == [200] * 10


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux, child processes end with their parent")
def test_killed_and_started_at_once_it_waits_for_what_is_dying(running_up):
    up = running_up()
    family = up.family()
    dying = psutil.Process(up.process.pid).children()
    for process in dying:
        process.suspend()  # they get the signal of their parent's death, but cannot handle it yet
    up.process.kill()
    resume = threading.Timer(1, lambda: [process.resume() for process in dying if process.is_running()])
    resume.start()
    again = running_up()
    resume.join()
    assert httpx2.get(f"{again.url}/readyz", timeout=10).status_code == 200
    assert gone(family, within_s=30)
