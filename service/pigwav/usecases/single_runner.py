"""Lets one process at a time do a job: it holds a lease in the database, which it renews until the job ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from uuid import uuid4

from pigwav.db import job_leases
from pigwav.db.job_leases import Job
from pigwav.db.session import Database
from pigwav.domain import LeaseId
from pigwav.errors import DatabaseUnavailable


@dataclass(frozen=True)
class SingleRunner:
    """The job of a process that vanished can be taken over after `lease_s` seconds.

    If a process is frozen for longer than that, or cannot reach the database, two may do the job for a while. So every
    step of the job must be safe to repeat.
    """

    database: Database
    lease_s: float

    @contextmanager
    def __call__(self, job: Job) -> Iterator[bool]:
        """True if this process may do the job in the block. Raises DatabaseUnavailable only before the block."""
        lease = LeaseId(uuid4())
        with self.database.begin() as db:
            mine = job_leases.take(db, job, lease, self.lease_s)
        if not mine:
            yield False
            return
        ended = Event()
        renewals = Thread(target=self._renew, args=(job, lease, ended), name=f"{job} lease", daemon=True)
        renewals.start()
        try:
            yield True
        finally:
            ended.set()
            renewals.join()
            with suppress(DatabaseUnavailable), self.database.begin() as db:  # if not, it expires
                job_leases.release(db, job, lease)

    def _renew(self, job: Job, lease: LeaseId, ended: Event) -> None:
        while not ended.wait(self.lease_s / 4):
            with suppress(DatabaseUnavailable), self.database.begin() as db:
                job_leases.renew(db, job, lease, self.lease_s)
