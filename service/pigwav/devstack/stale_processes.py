"""Processes that a killed `up` left behind, which are dying (Linux) or orphaned (macOS), and their leftover files."""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pigwav.devstack.child_process import ChildProcess
from pigwav.devstack.folder import RELEASE_WITHIN_S
from pigwav.devstack.identity import owners_of_cluster
from pigwav.devstack.ownership import read_private
from pigwav.devstack.processes import command_line, is_running, start_of, user_of
from pigwav.devstack.sockets import is_folder_of_ours, is_socket_of_ours
from pigwav.devstack.waiting import POLL_S, StopRequested, Waiter
from pigwav.errors import FolderInUse
from pigwav.private_json import write_private_json

_KILL_AFTER_S: Final = 5.0


@dataclass(frozen=True)
class StaleProcesses:
    """The record of our child processes in the data folder, for the next `up`, which may be another version."""

    path: Path

    def record(self, children: Iterable[ChildProcess]) -> None:
        write_private_json(self.path, [_entry(child) for child in children if child.pid is not None])

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def clear(self, waiter: Waiter) -> None:
        """Ends a predecessor's processes and removes their leftover files. Raises FolderInUse if one does not end."""
        entries = self._read()
        left = [entry for entry in entries if _is_ours(entry)]
        for entry in left:
            _send(entry["pid"], signal.Signals(entry["signal"]))
        _wait_until_ended(left, waiter)
        for path in (Path(path) for entry in entries for path in entry.get("leftovers", ())):
            with suppress(OSError):
                if self._may_remove(path):
                    path.unlink()
        for folder in (Path(entry["temporary"]) for entry in entries if entry["temporary"]):
            with suppress(OSError):
                if self._is_inside(folder) or is_folder_of_ours(folder):
                    folder.rmdir()
        self.forget()

    def _read(self) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = json.loads(read_private(self.path))
        except (FileNotFoundError, ValueError):
            return []
        return entries

    def _may_remove(self, path: Path) -> bool:
        """Whether a leftover is in the data folder or a socket of our servers: the record could name any file.

        Raises OSError.
        """
        return self._is_inside(path) or is_socket_of_ours(path)

    def _is_inside(self, path: Path) -> bool:
        return path.parent.resolve().is_relative_to(self.path.parent.resolve())


def _entry(child: ChildProcess) -> dict[str, Any]:
    program = child.program
    return {
        "pid": child.pid,
        # Without the program: on macOS, Python's command line has another path than the one that started it.
        "arguments": " ".join(program.argv[1:]),
        "started": start_of(child.pid) if child.pid else None,
        "signal": int(program.dies_with_us_by),
        "leftovers": [str(path) for path in program.leftovers],
        "temporary": None if program.temporary is None else str(program.temporary),
    }


def _is_ours(entry: dict[str, Any]) -> bool:
    """Whether the process is still the recorded one: its pid may now belong to another program.

    A former release recorded no start. Its processes are left alone: on Linux they end with their `up`.
    """
    pid = entry["pid"]
    return (
        is_running(pid)
        and entry.get("started") is not None
        and entry["started"] == start_of(pid)
        and entry["arguments"] in command_line(pid)
        and user_of(pid) in owners_of_cluster()
    )


def _wait_until_ended(entries: list[dict[str, Any]], waiter: Waiter) -> None:
    began = time.monotonic()
    while entries := [entry for entry in entries if _is_ours(entry)]:
        waited_s = time.monotonic() - began
        if waited_s > RELEASE_WITHIN_S:
            raise FolderInUse(f"A process of an earlier PigWav does not end: {entries[0]['arguments']}")
        if waited_s > _KILL_AFTER_S:
            for entry in entries:
                _send(entry["pid"], signal.SIGKILL)
        waiter.wait(POLL_S)
        if waiter.stops:
            raise StopRequested


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
