"""A real PgBouncer in transaction mode, in front of the session's Postgres."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from needs import skip_or_fail
from pigwav.db.url import connection_parameters
from pigwav.devstack import launch
from pigwav.devstack.identity import postgres_identity
from pigwav.devstack.postgres import OWNER
from ports import reserved_ports
from waiting import wait_until

POOL_SIZE: Final = 3
"""Fewer than the connections of one service: transactions take turns on Postgres's sessions."""

_SBIN: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def pgbouncer_program() -> Path:
    found = shutil.which("pgbouncer", path=_SBIN)
    return Path(found or skip_or_fail("pgbouncer", "pgbouncer is not installed"))


class PgBouncer:
    """`url` leads through it to the database of the URL behind it. Its settings are Debian's, but for what the tests
    need: no password, its own folder, few connections.
    """

    def __init__(self, program: Path, behind: str, folder: Path, port: int) -> None:
        self._folder = folder
        self._ini = folder / "pgbouncer.ini"
        server = connection_parameters(behind)
        user, database = server["user"], server["dbname"]
        self.url = f"postgresql://{user}@/{database}?host={quote(str(folder), safe='/')}&port={port}"
        self._ini.write_text(
            f"[databases]\n* = host={server['host']} port={server['port']}\n"
            f"[pgbouncer]\npool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = 500\n"
            f"listen_addr =\nlisten_port = {port}\nunix_socket_dir = {folder}\n"
            f"auth_type = trust\nauth_file = {folder / 'users'}\nauth_user = {OWNER}\n"
            f"server_check_delay = 0\nserver_idle_timeout = 10\n"
        )
        (folder / "users").write_text(f'"{user}" ""\n"{OWNER}" ""\n')
        identity = postgres_identity(folder, program)
        self._command = [
            *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "9", identity),
            *(str(program), "-q", str(self._ini)),
        ]
        self._socket = folder / f".s.PGSQL.{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        log = self._folder / "pgbouncer.log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(self._command, stdout=output, stderr=output)
        wait_until(lambda: process.poll() is not None or self._socket.exists())
        assert process.poll() is None, log.read_text()

    def kill(self) -> None:
        """Kills it without warning; clients and Postgres see broken connections."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def pgbouncer_before(behind: str, folder: Path) -> Iterator[PgBouncer]:
    """`behind`: the URL of a database on a Unix socket."""
    program = pgbouncer_program()
    with reserved_ports(1) as (port,):
        bouncer = PgBouncer(program, behind, folder, port)
        bouncer.start()
        try:
            yield bouncer
        finally:
            bouncer.kill()
