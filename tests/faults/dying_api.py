"""The real API in a process that sends itself SIGSTOP or SIGKILL at a given step.

`ApiStarter` forks it from a process that has imported everything: a start takes 0.1 s instead of 1 s.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop

from faults.steps import SteppedDatabase, Steps, stepped_store
from pigwav.api.app import create_app
from pigwav.api.server import Server, server_config
from pigwav.errors import Unavailable
from pigwav.listening import BACKLOG
from pigwav.settings import Settings
from pigwav.store.s3 import open_s3
from pigwav.telemetry.logs import configure_logging
from pigwav.usecases.sweep import Swept
from pigwav.wiring import Services, open_services
from pigwav.worker.loop import working
from waiting import wait_until

_ANSWER_WITHIN_S: Final = 60.0
_PRELOADED: Final = (
    "pigwav.api.app",
    "pigwav.wiring",
    "pigwav.worker.loop",
    "psutil",
    "psycopg2",
    "pytest",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""Only installed modules: the tests' own modules are not on the import path of the fork server."""


class Died(Exception):
    """The process ended before it answered."""


@dataclass(frozen=True)
class KillableApi:
    """The parent's handle of the process. Use it from one thread at a time."""

    url: str
    port: int
    process: Any  # multiprocessing's, of the forkserver kind
    log: Path
    _control: Connection

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    @property
    def is_frozen(self) -> bool:
        try:
            return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def arm(self, at: int = 0, number: signal.Signals = signal.SIGKILL) -> None:
        """Counts steps from 1 again; at step `at` the process sends itself this signal (0: never)."""
        self._ask("arm", at, number)

    def steps(self) -> list[str]:
        """The names of the steps since `arm`. Raises Died."""
        return self._ask("steps")

    def sweep(self) -> Swept | None:
        """Runs one sweep. None if the database or the store was unavailable. Raises Died."""
        return self._ask("sweep")

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def wake(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def wait_until_frozen(self, *going_on: "Future[Any]") -> bool:
        """False if all of `going_on` ended before the process reached the step."""
        wait_until(
            lambda: self.is_frozen or all(future.done() for future in going_on), within_s=2 * _ANSWER_WITHIN_S
        )
        return self.is_frozen

    def _ask(self, *request: object) -> Any:
        try:
            self._control.send(request)
            if not self._control.poll(_ANSWER_WITHIN_S):
                raise TimeoutError(f"the API did not answer {request} ({self.log})")
            return self._control.recv()
        except (EOFError, ConnectionError) as error:
            raise Died from error


class ApiStarter:
    """Starts APIs. At the end of `api_starter`, kills those that still run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(_PRELOADED))
        self._started: list[KillableApi] = []

    def start(self, settings: Settings) -> KillableApi:
        ours, theirs = self._context.Pipe()
        log = self._folder / f"api-{len(self._started)}.log"
        process = self._context.Process(target=_serve, args=(settings, theirs, log), daemon=True)
        process.start()
        theirs.close()
        assert ours.poll(_ANSWER_WITHIN_S), log.read_text()
        try:
            port = ours.recv()
        except EOFError:
            raise AssertionError(f"the API did not start: {log.read_text()}") from None
        api = KillableApi(f"http://127.0.0.1:{port}", port, process, log, ours)
        self._started.append(api)
        return api

    def end_all(self) -> None:
        for api in self._started:
            if api.is_alive:
                api.kill()
            api._control.close()  # noqa: SLF001 - a class of the same module
            api.process.close()


@contextmanager
def api_starter(folder: Path) -> Iterator[ApiStarter]:
    starter = ApiStarter(folder)
    try:
        yield starter
    finally:
        starter.end_all()


def _serve(settings: Settings, control: Connection, log: Path) -> None:
    """Runs in the child process."""
    with log.open("ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    configure_logging(as_json=False, level=settings.log_level)
    steps = Steps()
    store = stepped_store(open_s3(settings.store), steps)
    database = SteppedDatabase.over(settings.database, steps)
    with open_services(settings, store=store, database=database) as services:
        app = create_app(services, background=_obeying(services, steps, control))
        server = Server(server_config(app, services), services)
        listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        control.send(listening.getsockname()[1])  # from here on the kernel accepts connections
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listening]))


@asynccontextmanager
async def _obeying(services: Services, steps: Steps, control: Connection) -> AsyncIterator[None]:
    """The worker's loops, and a thread that executes the parent's commands. The process exits if the parent ends."""
    loop = asyncio.get_running_loop()
    listening = threading.Thread(target=_listen, args=(services, steps, control, loop), daemon=True)
    async with working(services):
        listening.start()
        yield


def _listen(services: Services, steps: Steps, control: Connection, loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            match control.recv():
                case ("arm", int(at), signal.Signals() as number):
                    steps.arm(at, lambda _name, number=number: os.kill(os.getpid(), number))
                    control.send(None)
                case ("steps",):
                    control.send(steps.names)
                case ("sweep",):
                    control.send(asyncio.run_coroutine_threadsafe(_sweep(services), loop).result())
    os._exit(1)


async def _sweep(services: Services) -> Swept | None:
    try:
        return await services.executors.store(services.sweep)
    except Unavailable:
        return None
