"""The real `pigwav serve`, on parts that run already."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from e2e.programs import PIGWAV
from upping import STOP_WITHIN_S, plain_environment
from waiting import wait_until


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[str]:
    """The URL of a `pigwav serve` with this environment, stopped at the end."""
    port = free_port()
    command = [sys.executable, *PIGWAV, "serve", "--port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, env=plain_environment(environment), stdout=output, stderr=output
        ) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or is_ready(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_WITHIN_S) == 0, log.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx2.TransportError:
        return False
