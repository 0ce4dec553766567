"""Renews the leases of open uploads, with one timer per process for all of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pigwav.db import uploading
from pigwav.db.session import Database
from pigwav.domain import LeaseId
from pigwav.errors import DatabaseUnavailable, UploadSuperseded
from pigwav.executors import BoundedExecutor


class Lease:
    """One upload's claim to its row. The upload loses it if its user is deleted or `sweep` aborts it."""

    def __init__(self, lease_id: LeaseId) -> None:
        self.id = lease_id
        self.lost = False
        self._was_held = False

    def found(self, *, held: bool) -> None:
        """Records a renewal's result. A lease begins just before its row is written, so one never held is not lost."""
        self.lost = self._was_held and not held
        self._was_held = self._was_held or held

    def check(self) -> None:
        """Raises UploadSuperseded if the upload has lost its lease."""
        if self.lost:
            raise UploadSuperseded


class KeepLeases:
    """The leases that this process holds."""

    def __init__(self, database: Database, db: BoundedExecutor, *, lease_s: float) -> None:
        self.lease_s = lease_s
        self._database = database
        self._db = db
        self._live: dict[LeaseId, Lease] = {}
        self._stable_since_s: float | None = None

    @contextmanager
    def renewed(self, lease_id: LeaseId) -> Iterator[Lease]:
        """Renew this lease for as long as the block runs."""
        lease = self._live[lease_id] = Lease(lease_id)
        try:
            yield lease
        finally:
            del self._live[lease_id]

    async def renew(self) -> None:
        """Renew all live leases; to be called four times per `lease_s`. Raises DatabaseUnavailable."""
        live = [*self._live.values()]
        try:
            held = await self._db(self._renew, [lease.id for lease in live])
        except DatabaseUnavailable:
            self._stable_since_s = None
            raise
        self._stable_since_s = self._stable_since_s or time.monotonic()
        for lease in live:
            lease.found(held=lease.id in held)

    @property
    def is_stable(self) -> bool:
        """Whether the database has answered for at least half of `lease_s`.

        After an outage every lease has expired. This delay gives each holder time to renew its lease before `sweep`
        aborts the upload.
        """
        return (
            self._stable_since_s is not None and time.monotonic() - self._stable_since_s >= self.lease_s / 2
        )

    def _renew(self, leases: list[LeaseId]) -> set[LeaseId]:
        with self._database.begin() as db:
            return uploading.renew_leases(db, leases, self.lease_s)
