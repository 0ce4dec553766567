"""What failed uploads and deletions left is removed. Every step may be repeated; live uploads are never touched."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pigwav.db import recordings
from pigwav.db.recordings import Remains
from pigwav.db.session import Database
from pigwav.store.base import ObjectStore
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

RUNNER: Final = 0x5069675761765377  # "PigWavSw": the advisory lock of the one sweep that runs
_BATCH: Final = 100


@dataclass(frozen=True)
class Swept:
    """`ran` is False when another process was sweeping."""

    ran: bool
    given_up: int = 0
    removed: int = 0


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Sweep:
    """Blocking: run it on a lane or in a program of its own."""

    database: Database
    store: ObjectStore
    metrics: Metrics

    def __call__(self, *, stopping: Callable[[], bool] = _never) -> Swept:
        """Raises Unavailable, with all that was done so far kept."""
        with self.database.only_runner(RUNNER) as mine:
            if not mine:
                return Swept(ran=False)
            given_up = self._give_up_expired()
            removed = 0
            for remains in self._remains():
                if stopping():
                    break
                self._remove(remains)
                removed += 1
        return Swept(ran=True, given_up=given_up, removed=removed)

    def _give_up_expired(self) -> int:
        with self.database.begin() as db:
            count = recordings.give_up_expired(db)
        if count:
            self.metrics.given_up.inc(count)
            log.info("uploads_given_up", count=count)
        return count

    def _remains(self) -> Iterator[Remains]:
        last = None
        while True:
            with self.database.read() as db:
                batch = recordings.remains(db, limit=_BATCH, after=last)
            yield from batch
            if len(batch) < _BATCH:
                return
            last = batch[-1].id

    def _remove(self, remains: Remains) -> None:
        for upload in self.store.open_uploads(remains.object_key):
            self.store.abort_multipart(upload.key, upload.upload_id)
        self.store.delete(remains.object_key)
        with self.database.begin() as db:
            recordings.forget(db, remains.id)
        self.metrics.swept.inc()
