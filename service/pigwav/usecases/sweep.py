"""Removes what failed uploads and deletions have left in the store, and recordings whose retention has ended.

Every step may be repeated; live uploads are never touched.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from pigwav.db import idempotency_keys, recordings, sweeping
from pigwav.db.job_leases import Job
from pigwav.db.session import Database
from pigwav.db.sweeping import PurgeableRow
from pigwav.errors import StoreUnavailable
from pigwav.store.base import Catalog, Kept, Writer
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics
from pigwav.usecases.single_runner import SingleRunner

_BATCH: Final = 100
_STORE_IS_AWAY: Final = 5
"""After so many failures in a row, the cause is the store, not single objects."""


class SweptStore(Writer, Catalog, Protocol): ...


@dataclass(frozen=True)
class Swept:
    """`ran` is False if another process was sweeping. `expired`: recordings whose retention has ended.

    `removed`: recordings whose bytes are gone. `kept`: how many are deleted, but a versioned bucket keeps their bytes.
    """

    ran: bool
    aborted_uploads: int = 0
    expired: int = 0
    removed: int = 0
    kept: Mapping[Kept, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """Blocking: run it on an executor or in a process of its own. `retention` None: recordings never expire."""

    database: Database
    store: SweptStore
    metrics: Metrics
    runner: SingleRunner
    retention: timedelta | None = None
    keys_for: timedelta = timedelta(hours=24)
    """How long Idempotency-Keys are remembered."""

    def __call__(self, *, abort_expired: bool = True, stopping: Callable[[], bool] = lambda: False) -> Swept:
        """`abort_expired`: also abort uploads whose lease has expired. Raises Unavailable; the steps before it are not
        undone.
        """
        with self.runner(Job.SWEEP) as mine:
            if not mine:
                return Swept(ran=False)
            aborted_uploads = self._abort_expired() if abort_expired else 0
            expired = self._expire(stopping)
            with self.database.begin() as db:
                idempotency_keys.forget_older(db, self.keys_for)
            removed = self._remove_all(stopping)
            gone = removed.pop(None, 0)
            kept = {reason: count for reason, count in removed.items() if reason}
            return Swept(ran=True, aborted_uploads=aborted_uploads, expired=expired, removed=gone, kept=kept)

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

    def _remove_all(self, stopping: Callable[[], bool]) -> Counter[Kept | None]:
        """Removes purgeable recordings; counts them by why their bytes stay, None: they are gone. An object that cannot
        be removed must not stop the others.
        """
        removed: Counter[Kept | None] = Counter()
        failed_in_a_row = 0
        for row in self._purgeable():
            if stopping():
                break
            try:
                for upload in self.store.open_uploads(row.object_key):
                    self.store.abort_multipart(upload.key, upload.upload_id)
                kept = self.store.delete(row.object_key)
            except StoreUnavailable:
                failed_in_a_row += 1
                if failed_in_a_row >= _STORE_IS_AWAY:
                    raise
                log.warning("not_removed", recording=str(row.id))
            else:
                with self.database.begin() as db:
                    recordings.forget(db, row.id)
                if kept:
                    log.warning("bytes_kept", recording=str(row.id), reason=kept.value)
                    self.metrics.kept.labels(kept.value).inc()
                else:
                    self.metrics.swept.inc()
                removed[kept] += 1
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
