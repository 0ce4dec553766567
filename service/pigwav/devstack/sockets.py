"""The Unix sockets of the embedded servers, and which of them may be removed outside the data folder."""

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

POSTGRES_PORT: Final = 5432
"""Only a part of the socket's name: Postgres listens on no network."""

POSTGRES_SOCKET: Final = f".s.PGSQL.{POSTGRES_PORT}"
POSTGRES_SOCKET_FILES: Final = (POSTGRES_SOCKET, f"{POSTGRES_SOCKET}.lock")

_TMP: Final = Path("/tmp")  # noqa: S108 - SeaweedFS's own choice
_SEAWEED_SOCKET: Final = re.compile(r"seaweedfs-[a-z0-9]+-grpc-[0-9]{1,5}\.sock")
_FOLDER: Final = re.compile(r"pigwav-[0-9a-f]{32}")


def new_folder_name() -> str:
    """A name that nobody can guess, for a folder of Postgres's socket in the temporary folder."""
    return f"pigwav-{secrets.token_hex(16)}"


def seaweed_socket(server: str, grpc_port: int) -> Path:
    """The socket that SeaweedFS makes besides a gRPC port."""
    return _TMP / f"seaweedfs-{server}-grpc-{grpc_port}.sock"


def is_socket_of_ours(path: Path) -> bool:
    """Whether this is a socket of ours outside the data folder: SeaweedFS's, or Postgres's with its lock file.

    Raises OSError.
    """
    if path.name in POSTGRES_SOCKET_FILES:
        return is_folder_of_ours(path.parent)
    if path.parent != _TMP or not _SEAWEED_SOCKET.fullmatch(path.name):
        return False
    status = path.lstat()
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()


def is_in_the_way(path: Path) -> bool:
    """Whether something that is not ours has the name of a socket in /tmp. Raises OSError."""
    return path.parent == _TMP and not is_socket_of_ours(path)


def is_folder_of_ours(folder: Path) -> bool:
    """Whether this is a folder of ours for Postgres's socket, and not a link to one. Raises OSError."""
    status = folder.lstat()
    return (
        _FOLDER.fullmatch(folder.name) is not None
        and stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
    )
