"""Runs the real `pigwav up`."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ports import PORTS_SETTING

READY = "PigWav is ready: "
START_WITHIN_S = 240.0
STOP_WITHIN_S = 60.0
INSTALLED_HERE = (sys.executable, "-m", "pigwav")
_OURS = ("PIGWAV_", "POSTGTRES_", "API_", "PROMETHEUS_", "PG", "AWS_")


@dataclass(frozen=True)
class RunningUp:
    """`announcement`: its standard output until it was ready. `log`: its standard error."""

    url: str
    announcement: str
    data: Path
    log: Path
    process: subprocess.Popen[str]

    def family(self) -> list[psutil.Process]:
        """All its child processes, at any depth."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """The direct child that runs the program of this name."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.name() == name)

    def press_ctrl_c(self) -> None:
        """Sends SIGINT to the whole process group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings of PigWav and its drivers, with the ports of this pytest process."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return others | PORTS_SETTING | dict(extra or {})


def up_command(data: Path, *options: str, program: Sequence[str] = INSTALLED_HERE) -> list[str]:
    return [*program, "up", "--data", str(data), *(options or ("--port", "0"))]


@contextmanager
def pigwav_up(
    data: Path,
    *options: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    program: Sequence[str] = INSTALLED_HERE,
) -> Iterator[RunningUp]:
    """Starts `pigwav up` (port 0 unless in `options`), waits until it is ready, and stops it at the end."""
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*prefix, *up_command(data, *options, program=program)],
            env=plain_environment(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=log.parent,
            process_group=0,  # its own group, as at a terminal
        ) as process,
    ):
        try:
            announcement = _announcement(process, log)
            url = announcement.removeprefix(READY).partition("\n")[0]
            yield RunningUp(url, announcement, data, log, process)
        finally:
            _end(process)


def _announcement(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout
    deadline = time.monotonic() + START_WITHIN_S
    text = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline and text.count("curl") < 3:
            if selector.select(timeout=0.5):
                piece = os.read(process.stdout.fileno(), 65536).decode()
                text += piece
                assert piece, f"`pigwav up` ended with {process.wait()}: {log.read_text()}"
    assert text.startswith(READY), (
        f"`pigwav up` was not ready within {START_WITHIN_S} s: {text}{log.read_text()}"
    )
    return text


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        finally:
            process.kill()


def gone(processes: Sequence[psutil.Process], *, within_s: float) -> bool:
    """Whether all processes end within `within_s`. A zombie has ended."""
    deadline = time.monotonic() + within_s
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
