"""Three ways to limit the time of statements, on the service's own queries: for the session, in each statement, and
with SET LOCAL at the beginning of a transaction. docs/decisions/0014 has the results.

python tests/bench/statement_limits.py [CALLS]

The ways take turns, call by call; the result is the time that nine in ten calls exceed, so that other work on the
machine changes little. Once directly, and once through a PgBouncer, if it is installed; there, nothing
limits the session.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import fresh_database
from pgbouncer import pgbouncer_before
from pigwav.db import recordings, uploading, users
from pigwav.db.engine import limits, open_engine
from pigwav.db.session import Database
from pigwav.devstack import stack_for
from pigwav.domain import LeaseId, RecordingId, UserId
from ports import PORTS

TIMEOUT_S: Final = 10


class Transactions(Database):
    """Reads in transactions, too."""

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self.begin() as db:
            yield db


def main(calls: int = 2000) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        stack_for(Path(folder) / "data", ports=PORTS) as stack,
        pgbouncer_before(stack.database_url, Path(folder)) as bouncer,
    ):
        for name, url in (("directly", stack.database_url), ("PgBouncer", bouncer.url)):
            database = fresh_database(url)
            ways = {
                "session": Database(open_engine(database)),
                "each statement": Database(open_engine(database, timeout_s=TIMEOUT_S)),
                "each transaction": Transactions(_at_the_beginning(open_engine(database))),
            }
            for call in (read, write):
                _compare(f"{name:9}  {call.__name__:5}", ways, call, calls)


def _at_the_beginning(engine: Engine) -> Engine:
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(limits(TIMEOUT_S)))
    return engine


def read(database: Database) -> None:
    with database.read() as db:
        recordings.find(db, RecordingId(uuid4()), UserId(1))


def write(database: Database) -> None:
    with database.begin() as db:
        users.lock(db, UserId(1))
        uploading.renew_leases(db, [LeaseId(uuid4())], 60)


def _compare(title: str, ways: dict[str, Database], call: Callable[[Database], None], calls: int) -> None:
    times_s: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, database in ways.items():
            began_s = time.perf_counter()
            call(database)
            times_s[name].append(time.perf_counter() - began_s)
    quick_s = {name: statistics.quantiles(some, n=10)[0] for name, some in times_s.items()}
    columns = (f"{name} {s * 1e6:5.0f} us ({s / quick_s['session']:.2f})" for name, s in quick_s.items())
    print(title, *columns, sep="   ")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
