"""Fake programs: shell scripts that print one line."""

import shlex
from pathlib import Path


def fake_program(folder: Path, name: str, *, says: str, status: int = 0) -> Path:
    """Creates an executable that ignores its arguments, prints the line `says` and exits with `status`."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(says)}\nexit {status}\n")
    path.chmod(0o755)
    return path
