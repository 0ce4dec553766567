"""Removes what failed uploads and deletions have left in the store, and recordings whose retention has ended.

Every step may be repeated; live uploads are never touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pigwav.db import idempotency_keys, recordings, sweeping
from pigwav.db.session import Database
from pigwav.db.sweeping import PurgeableRow
from pigwav.errors import StoreUnavailable
from pigwav.store.base import Catalog, Writer
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

RUNNER: Final = 0x5069675761765377  # "PigWavSw": the advisory lock of the one sweep that runs
_BATCH: Final = 100
_STORE_IS_AWAY: Final = 5
"""After so many failures in a row, the cause is the store, not single objects."""


class SweptStore(Writer, Catalog, Protocol): ...


@dataclass(frozen=True)
class Swept:
    """`ran` is False if another process was sweeping. `expired`: recordings whose retention has ended."""

    ran: bool
    aborted_uploads: int = 0
    expired: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Sweep:
    """Blocking: run it on an executor or in a process of its own. `retention` None: recordings never expire."""

    database: Database
    store: SweptStore
    metrics: Metrics
    retention: timedelta | None = None
    keys_for: timedelta = timedelta(hours=24)
    """How long Idempotency-Keys are remembered."""

    def __call__(self, *, abort_expired: bool = True, stopping: Callable[[], bool] = lambda: False) -> Swept:
        """`abort_expired`: also abort uploads whose lease has expired. Raises Unavailable; the steps before it are not
        undone.
        """
        with self.database.only_runner(RUNNER) as mine:
            if not mine:
                return Swept(ran=False)
            aborted_uploads = self._abort_expired() if abort_expired else 0
            expired = self._expire(stopping)
            with self.database.begin() as db:
                idempotency_keys.forget_older(db, self.keys_for)
            return Swept(
                ran=True, aborted_uploads=aborted_uploads, expired=expired, removed=self._remove_all(stopping)
            )

    def _expire(self, stopping: Callable[[], bool]) -> int:
        """Marks expired recordings in batches, so that each transaction is short, and returns their number."""
        expired = 0
        while self.retention is not None and not stopping():
            with self.database.begin() as db:
                count = sweeping.expire(db, self.retention, limit=_BATCH)
            expired += count
            if count < _BATCH:
                break
        if expired:
            log.info("recordings_expired", count=expired)
        return expired

    def _remove_all(self, stopping: Callable[[], bool]) -> int:
        """Removes purgeable recordings and returns the number removed. An object that cannot be removed (because of a
        legal hold, for example) must not stop the others.
        """
        removed = failed_in_a_row = 0
        for row in self._purgeable():
            if stopping():
                break
            try:
                for upload in self.store.open_uploads(row.object_key):
                    self.store.abort_multipart(upload.key, upload.upload_id)
                self.store.delete(row.object_key)
            except StoreUnavailable:
                failed_in_a_row += 1
                if failed_in_a_row >= _STORE_IS_AWAY:
                    raise
                log.warning("not_removed", recording=str(row.id))
            else:
                with self.database.begin() as db:
                    recordings.forget(db, row.id)
                self.metrics.swept.inc()
                removed += 1
                failed_in_a_row = 0
        return removed

    def _abort_expired(self) -> int:
        with self.database.begin() as db:
            count = sweeping.abort_expired_uploads(db)
        if count:
            self.metrics.uploads_aborted.inc(count)
            log.info("uploads_aborted", count=count)
        return count

    def _purgeable(self) -> Iterator[PurgeableRow]:
        last = None
        while True:
            with self.database.read() as db:
                batch = sweeping.purgeable(db, limit=_BATCH, after=last)
            yield from batch
            if len(batch) < _BATCH:
                return
            last = batch[-1].id
