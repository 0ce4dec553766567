"""Queries for the leases of jobs that one process at a time does."""

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import JobLeaseRow
from pigwav.domain import LeaseId


class Job(StrEnum):
    SWEEP = "sweep"
    QUARANTINE = "quarantine"


def take(db: Session, job: Job, lease: LeaseId, lease_s: float) -> bool:
    """Takes the job's lease if nobody holds it or it has expired. False if another holds it."""
    until = func.now() + timedelta(seconds=lease_s)
    statement = insert(JobLeaseRow).values(job=job, lease_id=lease, lease_until=until)
    taken = statement.on_conflict_do_update(
        index_elements=[JobLeaseRow.job],
        set_={"lease_id": lease, "lease_until": until},
        where=JobLeaseRow.lease_until < func.now(),
    )
    return db.execute(taken.returning(JobLeaseRow.job)).scalar_one_or_none() is not None


def renew(db: Session, job: Job, lease: LeaseId, lease_s: float) -> None:
    """Does nothing if another has taken the lease."""
    until = func.now() + timedelta(seconds=lease_s)
    db.execute(update(JobLeaseRow).where(*_held_by(job, lease)).values(lease_until=until))


def release(db: Session, job: Job, lease: LeaseId) -> None:
    """Does nothing if another has taken the lease."""
    db.execute(delete(JobLeaseRow).where(*_held_by(job, lease)))


def _held_by(job: Job, lease: LeaseId) -> tuple[ColumnElement[bool], ...]:
    return JobLeaseRow.job == job, JobLeaseRow.lease_id == lease
