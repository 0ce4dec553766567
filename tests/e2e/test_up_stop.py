"""How `pigwav up` ends: asked, asked twice, killed. And what the next one finds."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

from accounts import Account, register
from factories import wav
from upping import RunningUp, gone, plain_environment, up_command
from waiting import wait_until

pytestmark = pytest.mark.timeout(240)


def account(up: RunningUp) -> Account:
    return register(httpx2.Client(base_url=up.url, timeout=30), "testuser")


def refuses(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", timeout=5)
    except httpx2.ConnectError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_exits_0_and_leaves_nothing(running_up, number: signal.Signals):
    up = running_up()
    family = up.family()
    assert up.stop(number) == 0
    assert gone(family, within_s=0)
    assert refuses(up.url)
    left = {path.name for path in up.data.iterdir()}
    assert left == {"lock", "logs", "postgres", "s3", "socket"}
    assert not list((up.data / "socket").iterdir())


def test_asked_while_it_starts_it_exits_0_and_leaves_nothing(tmp_path: Path, embedded: None):
    with subprocess.Popen(
        up_command(tmp_path / "data"),
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until((tmp_path / "data" / "children.json").exists)
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        announced, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert announced == b""
    assert gone(family, within_s=0)


class SlowUpload:
    """A raw upload that stops half way, until `finish`."""

    def __init__(self, account: Account, url: str, body: bytes) -> None:
        self.rest = body[len(body) // 2 :]
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.connection.putrequest("POST", f"/records?user={account.id}")
        for name, value in account.bearer.items() | {
            ("Content-Type", "audio/wav"),
            ("Content-Length", str(len(body))),
        }:
            self.connection.putheader(name, value)
        self.connection.endheaders(body[: len(body) // 2])

    def finish(self) -> tuple[int, dict]:
        self.connection.send(self.rest)
        answer = self.connection.getresponse()
        return answer.status, json.load(answer)


def open_uploads(up: RunningUp) -> float:
    lines = httpx2.get(f"{up.url}/metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("pigwav_uploads_open")))


def test_an_open_upload_gets_its_time(running_up):
    up = running_up()
    upload = SlowUpload(account(up), up.url, wav(seconds=5))
    wait_until(lambda: open_uploads(up) == 1)
    up.process.terminate()
    wait_until(lambda: refuses(up.url))
    status, recording = upload.finish()
    upload.connection.close()
    assert status == 201
    assert up.process.wait(60) == 0
    again = running_up()
    mp3 = httpx2.get(f"{again.url}/record", params={"id": recording["id"], "user": recording["user"]})
    assert len(mp3.content) == recording["bytes"]


def test_an_upload_that_takes_longer_than_that_leaves_nothing_behind(running_up):
    up = running_up(environment={"PIGWAV_GRACE_S": "1"})
    upload = SlowUpload(account(up), up.url, wav(seconds=60))
    wait_until(lambda: open_uploads(up) == 1)
    assert up.stop() == 0
    upload.connection.close()
    doctor = [sys.executable, "-m", "pigwav", "doctor", "--json", "--data", str(up.data)]
    checked = subprocess.run(doctor, env=plain_environment(), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_asked_twice_it_does_not_wait_for_the_upload(running_up):
    up = running_up(environment={"PIGWAV_GRACE_S": "3600"})
    upload = SlowUpload(account(up), up.url, wav(seconds=5))
    wait_until(lambda: open_uploads(up) == 1)
    family = up.family()
    up.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Stopping" in up.log.read_text())
    assert up.stop(signal.SIGINT) == 0
    upload.connection.close()
    assert gone(family, within_s=0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_it_leaves_no_orphan_and_the_next_one_has_every_acknowledged_recording(running_up):
    up = running_up()
    user = account(up)
    recordings = [user.recording(seconds=0.2) for _ in range(10)]
    half = SlowUpload(user, up.url, wav(seconds=60))
    wait_until(lambda: open_uploads(up) == 1)
    family = up.family()
    up.process.kill()
    assert gone(family, within_s=2)
    up.process.wait()
    half.connection.close()
    again = running_up()
    for recording in recordings:
        mp3 = httpx2.get(f"{again.url}/record", params={"id": recording["id"], "user": recording["user"]})
        assert mp3.status_code == 200
        assert len(mp3.content) == recording["bytes"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_killed_and_started_at_once_it_waits_for_what_is_dying(running_up):
    up = running_up()
    up.process.send_signal(signal.SIGSTOP)
    for process in up.family():
        process.suspend()  # so that they cannot die before we let them
    family = up.family()
    os.kill(up.process.pid, signal.SIGKILL)
    again = running_up()
    assert httpx2.get(f"{again.url}/readyz", timeout=10).status_code == 200
    assert gone(family, within_s=2)
