"""An embedded stack whose servers a test may kill and start again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pigwav.db.migrate import upgrade
from pigwav.devstack.address import StackAddress
from pigwav.devstack.child_process import ChildProcess
from pigwav.devstack.database_preparation import make_database
from pigwav.devstack.folder import DataFolder
from pigwav.devstack.postgres import Postgres
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.seaweed import BUCKET, SeaweedFS
from pigwav.devstack.stack import watching
from pigwav.devstack.waiting import Sleeper
from pigwav.devstack.watch import Watch
from pigwav.errors import StoreUnavailable
from pigwav.provisioning.service_role import ServiceRole
from pigwav.settings import StoreSettings
from pigwav.store.s3 import open_s3
from ports import PORTS

POSTGRES: Final = "Postgres"
THE_STORE: Final = "the S3 server"

_READY_WITHIN_S: Final = 60.0


class OwnStack:
    """Use it from the main thread: the servers die with the thread that started them."""

    def __init__(self, watch: Watch, postgres: Postgres, seaweed: SeaweedFS) -> None:
        self._watch = watch
        self._children: dict[str, ChildProcess] = {POSTGRES: postgres.child, THE_STORE: seaweed.child}
        self._postgres = postgres
        self.address = StackAddress(
            postgres.url, seaweed.endpoint, BUCKET, seaweed.access_key, seaweed.secret_key
        )

    @property
    def store(self) -> StoreSettings:
        return self.address.store_settings()

    def kill(self, name: str) -> None:
        """Sends SIGKILL to the server and waits until it has ended."""
        child = self._children[name]
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        while child.is_running:
            Sleeper().wait(0.01)

    def restart(self, name: str) -> None:
        """Waits until the server that was killed serves again."""
        is_ready = self._postgres.is_ready if name == POSTGRES else self._store_answers
        self._watch.until(
            lambda: self._children[name].is_running and is_ready(), what=name, within_s=_READY_WITHIN_S
        )

    def _store_answers(self) -> bool:
        store = open_s3(self.store.model_copy(update={"timeout_s": 2}), attempts=1)
        try:
            store.check()
            [*store.list("recordings/0")]
        except StoreUnavailable:
            return False
        finally:
            store.close()
        return True


@contextmanager
def own_stack(data: Path) -> Iterator[OwnStack]:
    folder = DataFolder(data)
    with watching(folder, Sleeper()) as watch:
        postgres, seaweed = Postgres(folder, connections=100), SeaweedFS(folder, candidates=PORTS)
        watch.start(seaweed.child, restarts=_at_once())
        postgres.initialise(watch)
        watch.start(postgres.child, restarts=_at_once())
        watch.until(postgres.is_ready, what="Postgres", within_s=_READY_WITHIN_S)
        make_database(postgres.postgres_url)
        upgrade(postgres.owner_url)
        ServiceRole(postgres.owner_url, postgres.url).make()
        watch.until(seaweed.is_ready, what="the S3 server", within_s=_READY_WITHIN_S)
        yield OwnStack(watch, postgres, seaweed)


def _at_once() -> Restarts:
    """Restarts without limit and without delay."""
    return Restarts(max_restarts=1_000_000, within_s=0.001)
