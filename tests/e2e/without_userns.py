"""Executes its arguments as root without the ability to create user namespaces, as with Docker's defaults."""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
ALL_IDS = "0 0 100000"


def main(argv: list[str]) -> None:
    """Creates a user namespace that maps every id to itself and forbids further namespaces."""
    parent = os.getpid()
    inside, outside = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.read(inside[0], 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{parent}/{name}").write_text(ALL_IDS)
        os.write(outside[1], b".")
        os._exit(0)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.write(inside[1], b".")
    os.read(outside[0], 1)
    os.wait()
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
