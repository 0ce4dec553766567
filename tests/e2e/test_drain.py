"""A `pigwav serve` that is asked to stop says so before it stops accepting connections, and lets open uploads end."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from e2e.open_upload import OpenUpload, open_upload
from e2e.programs import PIGWAV
from e2e.serve import RunningServe, is_ready, running_serve
from factories import wav
from pigwav.devstack import StackAddress
from ports import reserved_ports
from problem_assertions import assert_problem
from running_up import STOP_WITHIN_S, plain_environment
from waiting import wait_until

FOREVER = {"PIGWAV_DRAIN_S": "3600"}


@contextmanager
def service(stack: StackAddress, log: Path, **more: str) -> Iterator[tuple[RunningServe, Account]]:
    with (
        running_serve({**stack.environment(), **more}, log) as running,
        httpx2.Client(base_url=running.url, timeout=30) as http,
    ):
        yield running, register(http, f"drain {running.url}")


@contextmanager
def begun_upload(account: Account) -> Iterator[OpenUpload]:
    """An open upload that the service has started to process."""
    with open_upload(account, wav(seconds=5)) as upload:
        wait_until(lambda: "pigwav_uploads_open 1.0" in account.http.get("/metrics").text)
        yield upload


def refuses(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz")
    except httpx2.TransportError:
        return True
    return False


def test_asked_to_stop_it_is_unready_and_takes_no_upload_and_still_answers(
    stack: StackAddress, tmp_path: Path
) -> None:
    with (
        service(stack, tmp_path / "log", **FOREVER) as (running, account),
        begun_upload(account) as upload,
    ):
        recording = account.recording()
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_ready(running.url))

        assert_problem(httpx2.get(f"{running.url}/readyz"), 503, "shutting-down")
        assert_problem(account.upload_raw(wav(seconds=1)), 503, "shutting-down")
        assert httpx2.get(f"{running.url}/healthz").status_code == 200
        assert httpx2.get(recording["url"]).status_code == 200
        running.process.send_signal(signal.SIGTERM)  # ends the drain period of one hour
        wait_until(lambda: refuses(running.url))
        status, _ = upload.finish()
        assert (status, running.process.wait(STOP_WITHIN_S)) == (201, 0)


def test_operators_see_at_their_address_that_it_stops(stack: StackAddress, tmp_path: Path) -> None:
    with reserved_ports(1) as (port,):
        bind = {"PIGWAV_OPERATOR_BIND": f"127.0.0.1:{port}"}
        with service(stack, tmp_path / "log", **bind, **FOREVER) as (running, _):
            operators = f"http://127.0.0.1:{port}"
            assert is_ready(operators)
            running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_ready(operators))

            for url in (operators, running.url):
                assert_problem(httpx2.get(f"{url}/readyz"), 503, "shutting-down")
            assert httpx2.get(f"{operators}/metrics").status_code == 200
            with socket.create_connection(("127.0.0.1", port)):  # an idle connection does not delay the stop
                running.process.send_signal(signal.SIGTERM)
                assert running.process.wait(STOP_WITHIN_S) == 0
            assert refuses(operators)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says when the process handles SIGTERM")
def test_a_signal_to_stop_that_comes_while_it_starts_is_not_lost(stack: StackAddress) -> None:
    with (
        reserved_ports(1) as (port,),
        subprocess.Popen(
            [sys.executable, *PIGWAV, "serve", "--port", str(port)],
            env=plain_environment(stack.environment()),
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            wait_until(lambda: handles(process.pid, signal.SIGTERM))
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_WITHIN_S) == 0
        finally:
            process.kill()


def handles(pid: int, number: signal.Signals) -> bool:
    caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_it_stops_by_itself_after_the_drain_and_the_last_upload(stack: StackAddress, tmp_path: Path) -> None:
    with (
        service(stack, tmp_path / "log", PIGWAV_DRAIN_S="0.3") as (running, account),
        begun_upload(account) as upload,
    ):
        running.process.send_signal(signal.SIGINT)
        wait_until(lambda: refuses(running.url))
        status, _ = upload.finish()
        assert (status, running.process.wait(STOP_WITHIN_S)) == (201, 0)


def test_uploads_that_outlast_the_grace_or_come_too_late_are_told_that_the_service_stops(
    stack: StackAddress, tmp_path: Path
) -> None:
    with service(stack, tmp_path / "log", PIGWAV_GRACE_S="1", **FOREVER) as (running, account):
        with begun_upload(account) as early:
            running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_ready(running.url))
            with open_upload(account, wav(seconds=5)) as late:
                running.process.send_signal(signal.SIGTERM)
                for upload in (early, late):
                    status, document = upload.answer()
                    assert (status, document["code"]) == (503, "shutting-down")
        assert running.process.wait(STOP_WITHIN_S) == 0
        assert "Traceback" not in running.log.read_text()
