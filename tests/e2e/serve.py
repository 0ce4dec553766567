"""The real `pigwav serve`, on parts that run already."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from e2e.programs import PIGWAV
from upping import STOP_WITHIN_S, plain_environment
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
    """A `pigwav serve`, stopped at the end where it has not ended by itself."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *PIGWAV, "serve", "--port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, env=plain_environment(environment), stdout=output, stderr=output
        ) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or is_ready(url))
            yield RunningServe(url, process, log)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_WITHIN_S) == 0, log.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False
