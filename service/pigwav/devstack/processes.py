"""Checks of processes that are not our children, without psutil."""

import os
import subprocess
import sys
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process with this pid is running. A zombie has ended: its parent has not waited for it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # the process exists and belongs to another user
    return not _is_zombie(pid)


def command_line(pid: int) -> str:
    """The process's arguments joined by spaces; empty if there is no such process."""
    if sys.platform != "linux":
        return _command_line_by_ps(pid)
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(raw).rstrip("\0").replace("\0", " ")


def _command_line_by_ps(pid: int) -> str:
    argv = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    shown = subprocess.run(argv, capture_output=True, check=False)  # noqa: S603 - a fixed program and a number
    return os.fsdecode(shown.stdout).strip()


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False  # there is no /proc (macOS), or the process has just ended
    return stat.rpartition(")")[2].split()[0] == "Z"
