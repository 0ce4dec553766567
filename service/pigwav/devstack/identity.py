"""As whom Postgres runs. It refuses to be root, and root is what people are in containers and on small servers."""

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Final

from pigwav.devstack import launch
from pigwav.errors import ChildProcessFailed

AS_IS: Final = "as-is"
USERNS: Final = "userns"


def postgres_identity(cluster: Path, program: Path) -> str:
    """An identity for launch.py. Raises ChildProcessFailed where there is none that Postgres accepts.

    An ordinary user is fine. Root keeps the files and shows Postgres a masked uid; where user namespaces are refused
    (Docker's default), Postgres becomes `nobody` and owns the cluster. A cluster that belongs to somebody else is
    run as its owner.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return AS_IS
    owner = cluster.stat().st_uid if cluster.exists() else os.geteuid()
    if owner == os.geteuid() and _works(USERNS, program):
        return USERNS
    if os.geteuid() != 0:
        raise ChildProcessFailed(
            f"Postgres cannot run as user id {os.geteuid()}: it has no entry in /etc/passwd."
        )
    if owner == 0:
        owner = launch.MASKED_ID
    if not _works(f"{owner}:{owner}", program):
        raise ChildProcessFailed(
            "Postgres refuses to run as root, and this machine lets root neither make a user namespace nor become "
            "another user: start PigWav as an ordinary user."
        )
    _hand_over(cluster, owner)
    return f"{owner}:{owner}"


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _works(identity: str, program: Path) -> bool:
    if sys.platform != "linux":
        return False
    command = [
        sys.executable,
        "-I",
        "-S",
        launch.__file__,
        str(os.getpid()),
        "9",
        identity,
        str(program),
        "--version",
    ]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0  # noqa: S603 - ours


def _hand_over(cluster: Path, owner: int) -> None:
    """Files that root made when it could still mask itself; symbolic links are not followed."""
    if not cluster.exists() or cluster.stat().st_uid == owner:
        return
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)
