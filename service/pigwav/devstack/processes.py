"""Questions about processes that are not our children, answered without psutil."""

import os
import subprocess
import sys
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended (a zombie has: it waits for a parent that does not look)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return not _is_zombie(pid)


def command_line(pid: int) -> str:
    """The process's arguments joined by spaces; empty where there is no such process."""
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
        return False  # no /proc (macOS), or gone since
    return stat.rpartition(")")[2].split()[0] == "Z"
