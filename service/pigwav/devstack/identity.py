"""The user that Postgres runs as. Postgres refuses to run as root, but in containers PigWav often runs as root."""

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
    """An identity for launch.py. Raises ChildProcessFailed if there is none that Postgres accepts.

    - If we are an ordinary user, Postgres runs as that user.
    - If we are root and user namespaces are allowed, root owns the files and Postgres sees a masked uid.
    - If user namespaces are refused (Docker's default), Postgres runs as `nobody`, which then owns the cluster.
    - If the cluster belongs to `nobody` already, Postgres runs as `nobody`, too.
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
            "Postgres refuses to run as root, and on this machine root can neither create a user namespace nor change "
            "to another user: start PigWav as an ordinary user."
        )
    _hand_over(cluster, owner)
    return f"{owner}:{owner}"


def owners_of_cluster() -> set[int]:
    """User ids to which a cluster of ours may belong: to root's, Postgres may have run as `nobody`."""
    return {os.geteuid(), launch.MASKED_ID} if os.geteuid() == 0 else {os.geteuid()}


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
    """Gives the cluster to `owner`, if root created it in an earlier run. Symbolic links are not followed."""
    if not cluster.exists() or cluster.stat().st_uid == owner:
        return
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)
