"""One process at a time does a job; another takes over when the lease of one that vanished has expired."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from sqlalchemy import text

from pigwav.db import job_leases
from pigwav.db.job_leases import Job
from pigwav.db.session import Database
from pigwav.domain import LeaseId
from pigwav.settings import DatabaseSettings
from pigwav.usecases.single_runner import SingleRunner
from waiting import wait_until

BRIEF_S = 0.2


@pytest.fixture
def database(own_database: DatabaseSettings) -> Iterator[Database]:
    with closing(Database.open(own_database)) as opened:
        yield opened


def may_run(database: Database, job: Job = Job.SWEEP) -> bool:
    with SingleRunner(database, 60)(job) as mine:
        return mine


def test_one_at_a_time_and_each_job_by_itself(database: Database) -> None:
    with SingleRunner(database, 60)(Job.SWEEP) as mine:
        assert mine
        assert not may_run(database)
        assert may_run(database, Job.QUARANTINE)
    assert may_run(database)


def test_a_job_that_fails_lets_the_next_one_run(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), SingleRunner(database, 60)(Job.SWEEP):
        raise ZeroDivisionError
    assert may_run(database)


def test_a_lease_is_renewed_while_its_job_runs(database: Database) -> None:
    with SingleRunner(database, BRIEF_S)(Job.SWEEP):
        first = lease_until(database)
        wait_until(lambda: lease_until(database) > first)
        wait_until(lambda: now(database) > first)
        assert not may_run(database)


def test_the_lease_of_a_process_that_vanished_expires(database: Database) -> None:
    with database.begin() as db:
        assert job_leases.take(db, Job.SWEEP, LeaseId(uuid4()), BRIEF_S)

    assert not may_run(database)
    wait_until(lambda: may_run(database))


def test_who_lost_the_lease_does_not_take_it_from_the_next(database: Database) -> None:
    late, next_one = LeaseId(uuid4()), LeaseId(uuid4())
    with database.begin() as db:
        job_leases.take(db, Job.SWEEP, late, -1)
    with database.begin() as db:
        assert job_leases.take(db, Job.SWEEP, next_one, 60)
    with database.begin() as db:
        job_leases.renew(db, Job.SWEEP, late, 60)
        job_leases.release(db, Job.SWEEP, late)

    assert not may_run(database)
    with database.begin() as db:
        job_leases.release(db, Job.SWEEP, next_one)
    assert may_run(database)


def lease_until(database: Database) -> object:
    with database.read() as db:
        return db.execute(text("SELECT lease_until FROM job_leases WHERE job = 'sweep'")).scalar_one()


def now(database: Database) -> object:
    with database.read() as db:
        return db.execute(text("SELECT now()")).scalar_one()
