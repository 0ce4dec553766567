"""Checks of processes that are not our children, without psutil."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_START_FIELD: Final = 22 - 3
"""starttime in proc(5), counted from the field that follows the name."""


def is_running(pid: int) -> bool:
    """Whether a process with this pid is running. A zombie has ended: its parent has not waited for it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # the process exists and belongs to another user
    return not _is_zombie(pid)


def user_of(pid: int) -> int | None:
    """The real user id of the process; None if there is no such process."""
    if sys.platform != "linux":
        shown = _shown_by_ps("uid", pid)
        return int(shown) if shown else None
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return None
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:"))


def start_of(pid: int) -> str | None:
    """When the process started, to tell it from a later one with the same pid; None if there is no such process.

    Only equality of two results has a meaning. Linux: the boot, and clock ticks since then.
    """
    if sys.platform != "linux":
        return _shown_by_ps("lstart", pid) or None
    fields = _stat_fields(pid)
    if not fields:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {fields[_START_FIELD]}"


def command_line(pid: int) -> str:
    """The process's arguments joined by spaces; empty if there is no such process."""
    if sys.platform != "linux":
        return _shown_by_ps("command", pid)
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(raw).rstrip("\0").replace("\0", " ")


def _shown_by_ps(column: str, pid: int) -> str:
    argv = ["/bin/ps", "-ww", "-o", f"{column}=", "-p", str(pid)]
    shown = subprocess.run(argv, capture_output=True, check=False)  # noqa: S603 - a fixed program, our column, a number
    return os.fsdecode(shown.stdout).strip()


def _is_zombie(pid: int) -> bool:
    return _stat_fields(pid)[:1] == ["Z"]


def _stat_fields(pid: int) -> list[str]:
    """Fields 3 (state) and following of /proc/PID/stat; none without /proc (macOS) or if the process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
