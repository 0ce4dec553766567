"""Postgres and SeaweedFS together, on one data folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pigwav.devstack.address import RunFile, StackAddress
from pigwav.devstack.folder import DataFolder
from pigwav.devstack.postgres import Postgres
from pigwav.devstack.postgres_programs import PostgresPrograms, find_postgres
from pigwav.devstack.seaweed import BUCKET, SeaweedFS
from pigwav.devstack.stale_processes import StaleProcesses
from pigwav.devstack.waiting import Sleeper, Waiter
from pigwav.devstack.watch import Watch
from pigwav.errors import FolderUnusable
from pigwav.settings import DEFAULT_EMBEDDED_PORTS, read_port_range

CONNECTIONS: Final = 100
DEFAULT_PORTS: Final = read_port_range(DEFAULT_EMBEDDED_PORTS)

READY_WITHIN_S: Final = 120.0
"""Generous: recovery after a crash, on a slow disk."""


class Stack:
    """Both servers, kept running by a Watch. Nothing runs before `start`; the Watch stops what runs."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        connections: int = CONNECTIONS,
        programs: PostgresPrograms | None = None,
        ports: Sequence[int] = DEFAULT_PORTS,
    ) -> None:
        self._postgres = Postgres(folder, connections=connections, programs=programs)
        self._seaweed = SeaweedFS(folder, candidates=ports)

    @property
    def address(self) -> StackAddress:
        """It changes if a server that is started again finds one of its ports taken."""
        seaweed = self._seaweed
        return StackAddress(
            self._postgres.url, seaweed.endpoint, BUCKET, seaweed.access_key, seaweed.secret_key
        )

    @property
    def ports(self) -> dict[str, int]:
        return self._seaweed.ports

    def start(self, watch: Watch) -> None:
        """Returns when the database is ready, the schema included; SeaweedFS is still starting beside it."""
        watch.start(self._seaweed.child)
        self._postgres.initialise(watch)
        watch.start(self._postgres.child)
        from pigwav.db.migrate import upgrade  # noqa: PLC0415 - alembic takes 0.2 s, in which both servers start

        self._until_ready(watch, self._postgres)
        self._postgres.make_database()
        upgrade(self.address.database_url)

    def wait(self, watch: Watch) -> None:
        """Returns when a recording could really be stored."""
        self._until_ready(watch, self._seaweed)

    @staticmethod
    def _until_ready(watch: Watch, server: Postgres | SeaweedFS) -> None:
        program = server.child.program
        watch.until(server.is_ready, what=f"{program.name} (log: {program.log})", within_s=READY_WITHIN_S)


@contextmanager
def watching(folder: DataFolder, waiter: Waiter) -> Iterator[Watch]:
    """Take the folder, end what a predecessor left there, and stop at the end whatever was started."""
    with folder.taken(waiter):
        stale = StaleProcesses(folder.children_file)
        stale.clear(waiter)
        watch = Watch(stale, waiter)
        try:
            yield watch
        finally:
            folder.leave()
            watch.stop()


def running(data: Path) -> StackAddress | None:
    """The stack that an `up` keeps running on this folder; None where there is none, or none that is ready."""
    folder = DataFolder(data.absolute())
    run = RunFile.read(folder.run_file)
    return run.stack if run and folder.is_taken() else None


@contextmanager
def stack_for(
    data: Path,
    *,
    new: bool = True,
    postgres_bin: Path | None = None,
    ports: Sequence[int] = DEFAULT_PORTS,
) -> Iterator[StackAddress]:
    """The stack that runs on this folder, or one that is started here and stopped at the end (from the main thread).

    Not `new`: a folder that holds no data yet is refused. `postgres_bin`: the setting. `ports`: ten of them are used.
    Raises CannotStart.
    """
    if address := running(data):
        yield address
        return
    folder = DataFolder(data.absolute())
    if not (new or folder.is_used()):
        raise FolderUnusable(f"There is no PigWav data in {folder.path}.")
    programs = find_postgres(postgres_bin)
    with watching(folder, Sleeper()) as watch:
        stack = Stack(folder, programs=programs, ports=ports)
        stack.start(watch)
        stack.wait(watch)
        yield stack.address
