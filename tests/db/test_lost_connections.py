"""A database that never answers, connections that break between transactions, clients that hold locks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from databases import fresh_database
from fakes.s3_server import serving
from pigwav.db.session import Database
from pigwav.devstack import StackAddress
from pigwav.errors import DatabaseUnavailable
from pigwav.settings import DatabaseSettings
from waiting import wait_until

POOL_SIZE = 2


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    over = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        over.wait()

    with serving(say_nothing) as url:
        yield url.removeprefix("http://")
        over.set()


@pytest.fixture(scope="module")
def settings(stack: StackAddress) -> DatabaseSettings:
    url = SecretStr(fresh_database(stack.database_url))
    return DatabaseSettings(url=url, timeout_s=0.5, pool_size=POOL_SIZE)


@pytest.fixture
def database(settings: DatabaseSettings) -> Iterator[Database]:
    with closing(Database.open(settings)) as opened:
        yield opened


@pytest.fixture
def other(settings: DatabaseSettings) -> Iterator[Database]:
    with closing(Database.open(settings)) as opened:
        yield opened


def is_there(other: Database, pid: int) -> bool:
    query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    with other.read() as db:
        return db.execute(query, {"pid": pid}).scalar_one() > 0


def end(other: Database, pid: int) -> None:
    with other.begin() as db:
        db.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    wait_until(lambda: not is_there(other, pid))


def test_a_server_that_never_answers_is_abandoned(silent: str) -> None:
    url = SecretStr(f"postgresql://someone@{silent}/none?sslmode=disable")
    with (
        closing(Database.open(DatabaseSettings(url=url, timeout_s=0.2))) as database,
        pytest.raises(DatabaseUnavailable, match="no answer within"),
        database.read() as db,
    ):
        db.execute(text("SELECT 1"))


def test_a_transaction_that_its_client_leaves_open_is_ended(database: Database, other: Database) -> None:
    def freeze() -> None:
        with database.begin() as db:
            pid = db.execute(text("SELECT pg_backend_pid()")).scalar_one()
            wait_until(lambda: not is_there(other, pid))
            db.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        freeze()


def test_connections_that_die_between_two_statements_of_a_read_are_replaced(
    database: Database, other: Database
) -> None:
    for _ in range(POOL_SIZE + 1):
        with suppress(DatabaseUnavailable), database.read() as db:
            for _ in range(2):
                db.execute(text("SELECT 1"))
        with suppress(DatabaseUnavailable), database.read() as db:
            end(other, db.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with suppress(DatabaseUnavailable), database.read() as db:
        db.execute(text("SELECT 1"))  # uses the last dead connection
    with database.read() as db:
        assert db.execute(text("SELECT 1")).scalar_one() == 1
