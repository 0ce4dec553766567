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
from pigwav.port_range import DEFAULT_EMBEDDED_PORTS, read_port_range

CONNECTIONS: Final = 100
DEFAULT_PORTS: Final = read_port_range(DEFAULT_EMBEDDED_PORTS)

READY_WITHIN_S: Final = 120.0
"""Long enough for recovery after a crash on a slow disk."""


class Stack:
    """Both servers. Nothing runs before `start`; a Watch keeps them running and stops them."""

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
        """Changes if a restarted server finds one of its ports taken."""
        seaweed = self._seaweed
        return StackAddress(
            self._postgres.url, seaweed.endpoint, BUCKET, seaweed.access_key, seaweed.secret_key
        )

    @property
    def ports(self) -> dict[str, int]:
        return self._seaweed.ports

    def start(self, watch: Watch) -> None:
        """Returns when the database and its schema are ready. SeaweedFS may still be starting."""
        watch.start(self._seaweed.child)
        self._postgres.initialise(watch)
        watch.start(self._postgres.child)
        self._until_ready(watch, self._postgres)
        self._postgres.prepare_database(watch)

    def wait(self, watch: Watch) -> None:
        """Returns when the object store accepts writes."""
        self._until_ready(watch, self._seaweed)

    @staticmethod
    def _until_ready(watch: Watch, server: Postgres | SeaweedFS) -> None:
        program = server.child.program
        watch.until(server.is_ready, what=f"{program.name} (log: {program.log})", within_s=READY_WITHIN_S)


@contextmanager
def watching(folder: DataFolder, waiter: Waiter) -> Iterator[Watch]:
    """Locks the folder, ends the processes that a predecessor left, and stops all started processes at the end."""
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
    """The stack of the `up` that runs on this folder; None if there is none, or if it is not ready yet.

    Raises FolderUnusable if another user can change the folder, and thus the addresses.
    """
    folder = DataFolder(data.absolute())
    run = RunFile.read(folder.run_file) if folder.is_taken() else None
    return run.stack if run else None


@contextmanager
def stack_for(
    data: Path,
    *,
    new: bool = True,
    postgres_bin: Path | None = None,
    ports: Sequence[int] = DEFAULT_PORTS,
) -> Iterator[StackAddress]:
    """The stack that runs on this folder, or one that is started and stopped here. Main thread only.

    - `new`: whether a folder without data is accepted
    - `postgres_bin`: the setting
    - `ports`: candidates, of which ten are used

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
