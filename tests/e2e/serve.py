"""The real `pigwav serve`, with a database and a store that already run."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from e2e.programs import PIGWAV
from ports import reserved_ports
from running_up import STOP_WITHIN_S, plain_environment
from waiting import wait_until


@dataclass(frozen=True)
class RunningServe:
    """`log`: its standard error."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[str]:
    """The URL of a `pigwav serve` with this environment, stopped at the end."""
    with running_serve(environment, log) as running:
        yield running.url


@contextmanager
def running_serve(environment: dict[str, str], log: Path) -> Iterator[RunningServe]:
    """A `pigwav serve`, stopped at the end if it has not ended by itself, and killed if the test fails."""
    with (
        reserved_ports(1) as (port,),
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, *PIGWAV, "serve", "--port", str(port)],
            env=plain_environment(environment),
            stdout=output,
            stderr=output,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: process.poll() is not None or is_ready(url))
            yield RunningServe(url, process, log)
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_WITHIN_S) == 0, log.read_text()
        finally:
            process.kill()


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False
