"""Programs that a test makes: shell scripts that say one thing."""

import shlex
from pathlib import Path


def fake_program(folder: Path, name: str, *, says: str, status: int = 0) -> Path:
    """An executable of this name in the folder. Whatever it is asked, it says the line and exits."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(says)}\nexit {status}\n")
    path.chmod(0o755)
    return path
