"""Runs `peers/fastapi_pydub.py` next to a PigWav, on its Postgres and its S3 server.

pip install --target /tmp/peers pydub
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.harness import RunningPigWav
from databases import empty_database, url_with
from ports import reserved_ports

PACKAGES: Final = Path(os.environ.get("PIGWAV_BENCH_PEERS", "/tmp/peers"))
"""The folder with pydub, which is no dependency of PigWav."""

_START_WITHIN_S: Final = 60.0
_STORE: Final = ("S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY")


@dataclass(frozen=True)
class RunningPeer:
    address: str
    process: psutil.Process
    user: int
    token: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, timeout=600)

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running_peer(pigwav: RunningPigWav) -> Iterator[RunningPeer]:
    """The peer with one user. Its tables are in a database of its own."""
    if not (PACKAGES / "pydub").is_dir():
        sys.exit(f"The peer needs pydub: pip install --target {PACKAGES} pydub")
    with reserved_ports(1) as [port]:
        app = ["--app-dir", Path(__file__).parent / "peers", "fastapi_pydub:app"]
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "uvicorn",
                *app,
                "--port",
                str(port),
                "--log-level",
                "warning",
            ],
            env=_environment(pigwav.settings()),
        )
    try:
        address = f"127.0.0.1:{port}"
        user = _registered(address, process)
        yield RunningPeer(address, psutil.Process(process.pid), user["id"], user["token"])
    finally:
        process.terminate()
        process.wait()


def _environment(settings: dict[str, str]) -> dict[str, str]:
    database = url_with(empty_database(settings["PIGWAV_DATABASE_URL"]), drivername="postgresql+psycopg2")
    store = {name: settings[f"PIGWAV_{name}"] for name in _STORE}
    return os.environ | store | {"DATABASE_URL": database, "PYTHONPATH": str(PACKAGES)}


def _registered(address: str, process: "subprocess.Popen[bytes]") -> dict[str, int | str]:
    deadline = time.monotonic() + _START_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address)
        try:
            connection.request(
                "POST", "/users", "name=bench", {"Content-Type": "application/x-www-form-urlencoded"}
            )
            return json.loads(connection.getresponse().read())
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit("The peer did not start.")
