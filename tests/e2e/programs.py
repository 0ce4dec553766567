"""Runs the programs as users do, and finds processes that they have left."""

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import psutil

from forked import END_WITHIN_S, run_forked
from running_up import plain_environment

Ended: TypeAlias = subprocess.CompletedProcess[str]

TESTAPI: Final = Path(__file__).parents[2] / "testAPI.py"
PIGWAV: Final = ("-m", "pigwav")

NOTHING_WRONG: Final = {"missing": [], "orphans": [], "pending": [], "open_uploads": [], "quarantined": 0}
"""doctor's findings if all is well, without the number of recordings."""

SWEEPS_ONLY_WHEN_ASKED: Final = {"PIGWAV_SWEEP_EVERY_S": "3600"}
"""Disables the periodic sweep, so that a test sees what is left before it."""


def run_testapi(*words: object, folder: Path | None = None) -> Ended:
    return subprocess.run(
        [sys.executable, TESTAPI, *map(str, words)],
        cwd=folder,
        env=plain_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
        check=False,
    )


def run_pigwav(
    *words: object,
    folder: Path | None = None,
    stdin: IO[Any] | int = subprocess.DEVNULL,
    **environment: str,
) -> Ended:
    return run_forked(
        [*map(str, words)],
        folder=folder or Path.cwd(),
        environment=plain_environment(environment),
        stdin=stdin,
    )


def doctor(data: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    """Exit code and findings of `pigwav doctor`."""
    ended = run_pigwav("doctor", "--json", "--data", data, **environment)
    assert ended.stdout, ended
    return ended.returncode, json.loads(ended.stdout)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is in this folder, or whose command line contains its path."""
    place = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline"])
        if (process.info["cwd"] or "").startswith(place)
        or any(place in word for word in process.info["cmdline"] or [])
    ]
