"""`pigwav up`: runs the API and, unless a database and an object store are configured, the embedded stack.

This process waits for as long as the service runs, so it imports only the standard library: `pigwav up` reads options
and settings, and then becomes `python -m pigwav.devstack`. What needs the database's driver runs in a process that
ends (`database_preparation`).
"""

import http.client
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, Self, TypeAlias
from urllib.parse import urlsplit

from pigwav.devstack.address import RunFile
from pigwav.devstack.child_process import ChildProcess, Program
from pigwav.devstack.folder import DataFolder, translate_errors
from pigwav.devstack.postgres_programs import find_postgres
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.stack import Stack, watching
from pigwav.devstack.stale_processes import StaleProcesses
from pigwav.devstack.waiting import Signals, StopRequested
from pigwav.devstack.watch import Watch
from pigwav.listening import Listeners, reachable_url_of, url_of
from pigwav.port_range import read_port_range

READY_WITHIN_S: Final = 120.0
"""Long enough for a busy machine."""

PROBE_S: Final = 1.0
"""A probe waits in the listen queue until the API runs. The timeout is short, so that child processes are checked."""

CHECK_EVERY_S: Final = 1.0
AFTER_GRACE_S: Final = 15.0
"""Time for aborted uploads to clean up, in addition to the grace period."""

SPARE_CONNECTIONS: Final = 20
"""For psql, doctor, sweep and Postgres's own workers."""

OUTDATED_WITHIN_S: Final = 5.0
"""Stop timeout of API processes whose object store has a new address: their requests fail anyway, and new ones wait."""

WORKER_RESTARTS: Final = 3
"""Per minute. Few, because each takes a second and an API that cannot start should fail soon."""

NO_DRAIN: Final = {"PIGWAV_DRAIN_S": "0"}
"""There is no load balancer in front of `up`, so workers need not wait until it notices a stop. The environment may
override this.
"""

OF_THE_OPERATOR: Final = ("PIGWAV_PROVISION_", "PIGWAV_MIGRATE_")
"""Settings of the operator's commands: keys and URLs that the API must not have."""

METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

Environment: TypeAlias = Callable[[], Mapping[str, str]]
"""Called for each start of a process."""


@dataclass(frozen=True)
class Plan:
    """What `pigwav up` runs. `embedded`: a database and an object store of its own. `watches_disk`: the API checks the
    data folder's disk.
    """

    host: str
    port: int
    data: str
    workers: int
    embedded: bool
    operator: tuple[str, int] | None
    grace_s: float
    drain_s: float
    pool_size: int
    postgres_bin: str | None
    embedded_ports: str
    watches_disk: bool

    def argv(self) -> list[str]:
        """The command of the process that carries it out."""
        # -P: do not import modules from the current folder, such as a file json.py.
        return [sys.executable, "-P", "-m", "pigwav.devstack", json.dumps(asdict(self))]

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Up:
    """One run of `pigwav up`. `on_ready` and `on_stop` print messages for the user."""

    plan: Plan
    on_ready: Callable[[str], None]
    on_stop: Callable[[float], None]

    def run(self) -> None:
        """Serves until a signal asks to stop; returns when all child processes have ended. Raises CannotStart."""
        with Signals() as signals:
            try:
                if self.plan.embedded:
                    self._run_on_own_stack(signals)
                else:
                    self._run_alone(signals)
            except StopRequested:
                return

    def _run_on_own_stack(self, signals: Signals) -> None:
        folder = DataFolder(Path(self.plan.data).absolute())
        programs = find_postgres(Path(self.plan.postgres_bin) if self.plan.postgres_bin else None)
        with watching(folder, signals) as watch, self._listeners() as listeners:
            ports = read_port_range(self.plan.embedded_ports)
            connections = self.plan.workers * (self.plan.pool_size + 2) + SPARE_CONNECTIONS
            stack = Stack(folder, connections=max(100, connections), programs=programs, ports=ports)
            stack.start(watch)
            unchanging = {**self._watch_disk(folder.path), **self._share_metrics(folder.metrics)}

            def environment() -> dict[str, str]:
                return {**stack.address.environment(), **unchanging}

            # The API takes a second to load, in which SeaweedFS gets ready.
            with self._api(watch, signals, listeners, environment) as workers, _run_file(folder) as write:
                stack.wait(watch)

                def follow() -> None:
                    """If the stack's address has changed, restarts the API workers and updates the run file."""
                    endpoint = stack.address.s3_endpoint
                    known = {worker: worker.program.environment["PIGWAV_S3_ENDPOINT"] for worker in workers}
                    if outdated := [worker for worker, at in known.items() if at != endpoint]:
                        watch.restart(outdated, within_s=OUTDATED_WITHIN_S)
                    write(RunFile(os.getpid(), url_of(listeners.public), stack.ports, stack.address))

                self._serve(watch, listeners.public, follow)

    def _run_alone(self, signals: Signals) -> None:
        """Runs only the API, without a data folder, because database and object store are configured."""
        with (
            self._listeners() as listeners,
            tempfile.TemporaryDirectory(prefix="pigwav-") as scratch,
        ):
            watch = Watch(StaleProcesses(Path(scratch) / "children.json"), signals)
            environment = self._share_metrics(Path(scratch) / "metrics")
            with self._api(watch, signals, listeners, lambda: environment):
                self._serve(watch, listeners.public)

    def _listeners(self) -> Listeners:
        return Listeners.open(self.plan.host, self.plan.port, self.plan.operator)

    @contextmanager
    def _api(
        self, watch: Watch, signals: Signals, listeners: Listeners, environment: Environment
    ) -> Iterator[list[ChildProcess]]:
        """Runs the API's processes during the block. At its end, open uploads get the grace period."""
        programs = [
            partial(self._worker, number, listeners, environment) for number in range(self.plan.workers)
        ]
        workers = [ChildProcess(program(), renewed=program) for program in programs]
        try:
            for worker in workers:
                watch.start(
                    worker, after_death=_forget_gauges, restarts=Restarts(max_restarts=WORKER_RESTARTS)
                )
            yield workers
        finally:
            if signals.stops:
                self.on_stop(self.plan.grace_s)
            listeners.close()  # new connections are refused instead of waiting in the queue
            watch.stop(workers)

    def _serve(
        self, watch: Watch, listening: socket.socket, follow: Callable[[], None] = lambda: None
    ) -> NoReturn:
        """Calls `on_ready` when the service is ready, and keeps all processes running.

        `follow` is called after every check of the child processes. Raises StopRequested, ChildProcessFailed.
        """
        url = reachable_url_of(listening)

        def is_ready() -> bool:
            follow()
            return _answers(url)

        watch.until(is_ready, what="The API", within_s=READY_WITHIN_S)
        self.on_ready(url_of(listening))
        while True:
            watch.check()
            follow()
            watch.pause(CHECK_EVERY_S)

    def _worker(self, number: int, listeners: Listeners, environment: Environment) -> Program:
        ours = {name: text for name, text in os.environ.items() if not name.startswith(OF_THE_OPERATOR)}
        stop_within_s = self.plan.drain_s + self.plan.grace_s + AFTER_GRACE_S
        return Program(
            name="The API" if self.plan.workers == 1 else f"API worker {number + 1}",
            # -P: as in `Plan.argv`.
            argv=[sys.executable, "-P", "-m", "pigwav", "serve", *_descriptors(listeners)],
            environment={**NO_DRAIN, **ours, **environment()},
            stop_by=((signal.SIGTERM, stop_within_s), (signal.SIGKILL, 5)),
            inherits=tuple(each.fileno() for each in listeners.sockets),
        )

    def _share_metrics(self, folder: Path) -> dict[str, str]:
        """The environment with which several workers share their metrics in one answer of /metrics."""
        if self.plan.workers == 1 or METRICS_VARIABLE in os.environ:
            return {}
        with translate_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        return {METRICS_VARIABLE: str(folder)}

    def _watch_disk(self, data: Path) -> dict[str, str]:
        """The environment that makes the API watch the data folder's disk. Empty if PIGWAV_DISK_FOLDERS is set, or if
        the folder's path contains the list separator.
        """
        if not self.plan.watches_disk or os.pathsep in str(data):
            return {}
        return {"PIGWAV_DISK_FOLDERS": str(data)}


def _descriptors(listeners: Listeners) -> list[str]:
    """The options with which `serve` takes over the sockets."""
    public = ["--fd", str(listeners.public.fileno())]
    return [*public, "--operator-fd", str(listeners.operator.fileno())] if listeners.operator else public


@contextmanager
def _run_file(folder: DataFolder) -> Iterator[Callable[[RunFile], None]]:
    """Yields a function that writes the run file if its content has changed. Removes the file at the end."""
    written: list[RunFile] = []

    def write(run: RunFile) -> None:
        if run not in written[-1:]:
            with translate_errors(folder.path):
                run.write(folder.run_file)
            written.append(run)

    try:
        yield write
    finally:
        folder.run_file.unlink(missing_ok=True)


def _answers(url: str) -> bool:
    """Whether the service is ready (`/readyz` answers 200)."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PROBE_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _forget_gauges(dead: ChildProcess) -> None:
    """Removes a dead worker's gauges from the shared metrics: it has no open uploads any more."""
    if folder := dead.program.environment.get(METRICS_VARIABLE):
        from prometheus_client import multiprocess  # noqa: PLC0415 - needed only by several workers

        multiprocess.mark_process_dead(dead.pid, folder)  # type: ignore[no-untyped-call] # it has no annotations
