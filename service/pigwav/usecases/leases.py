"""A live upload keeps its lease; one timer per process serves all of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pigwav.db import recordings
from pigwav.db.session import Database
from pigwav.domain import LeaseId
from pigwav.errors import DatabaseUnavailable
from pigwav.lanes import Lane
from pigwav.telemetry.logs import log


class Leases:
    """The leases that this process holds. An upload that loses its lease notices when it wants to become ready."""

    def __init__(self, database: Database, db: Lane, *, lease_s: float) -> None:
        self.lease_s = lease_s
        self._database = database
        self._db = db
        self._live: set[LeaseId] = set()

    @contextmanager
    def kept(self, lease: LeaseId) -> Iterator[None]:
        """Renew this lease for as long as the block runs."""
        self._live.add(lease)
        try:
            yield
        finally:
            self._live.discard(lease)

    async def keep(self) -> None:
        """Renew all live leases, four times per lease, until cancelled. A database that is away is asked again."""
        while True:
            await asyncio.sleep(self.lease_s / 4)
            if not self._live:
                continue
            try:
                await self._db(self._renew, frozenset(self._live))
            except DatabaseUnavailable:
                log.warning("leases_not_renewed", open=len(self._live))

    def _renew(self, leases: frozenset[LeaseId]) -> None:
        with self._database.begin() as db:
            recordings.renew_leases(db, leases, self.lease_s)
