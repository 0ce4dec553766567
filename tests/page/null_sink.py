"""A PulseAudio whose only output is no device: without an output, Firefox starts no AudioContext and cannot record."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from needs import skip_or_fail
from waiting import wait_until

_OPTIONS: Final = (
    "-n",
    "--daemonize=no",
    "--use-pid-file=no",
    "--exit-idle-time=-1",
    "--load=module-null-sink",
)


def pulseaudio_program() -> str:
    """PulseAudio's path. If there is none, the test is skipped, or fails if `firefox` is required."""
    found = shutil.which("pulseaudio")
    return found or skip_or_fail(
        "firefox", "there is no `pulseaudio` on the PATH, and Firefox cannot record without"
    )


@contextmanager
def null_sink(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a program that plays there. `folder` is empty and gets the server's files."""
    socket = folder / "socket"
    load = f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1"
    with subprocess.Popen(
        [pulseaudio_program(), *_OPTIONS, load],
        env=os.environ | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(socket.exists)
            yield {"PULSE_SERVER": f"unix:{socket}"}
        finally:
            process.terminate()
