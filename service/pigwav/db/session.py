"""Connections to the database, and short transactions on them."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from pigwav.db.client_timeout import time_limited_connection
from pigwav.db.driver_errors import translate_errors
from pigwav.errors import NotConfigured
from pigwav.settings import DatabaseSettings

_RESTED_S: Final = 1.0
_LONGER_THAN_THE_SERVER: Final = 1.5
"""The client's timeout, in the server's: a server that works reports its own timeout first, which is a better error."""

_FROZEN_AFTER: Final = 6
"""The idle timeout of a transaction, in statement timeouts: a client that is idle for so long is frozen, and other
clients wait for the rows that it locks.
"""


def driver_url(url: str) -> URL:
    """Converts any usual spelling of a Postgres URL to psycopg2's: SQLAlchemy 2.1 takes `postgresql://` for psycopg 3.

    Raises NotConfigured.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise NotConfigured(
            "PIGWAV_DATABASE_URL (or POSTGTRES_SQL_URI) is not a database URL (postgresql://user:password@host/name)"
        ) from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise NotConfigured(
            f"PIGWAV_DATABASE_URL (or POSTGTRES_SQL_URI) names {parsed.get_backend_name()}; PigWav needs postgresql"
        )
    return parsed.set(drivername="postgresql+psycopg2")


class Database:
    """A pool of connections. A connection is held for one `with` block, and none while an upload or download runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: DatabaseSettings) -> Self:
        """Connects on first use, so a service can start before its database. Raises NotConfigured."""
        if settings.url is None:
            raise NotConfigured("PIGWAV_DATABASE_URL is not set")
        timeout_ms = int(settings.timeout_s * 1000)
        engine = create_engine(
            driver_url(settings.url.get_secret_value()),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.timeout_s,
            connect_args={
                "connection_factory": time_limited_connection(_LONGER_THAN_THE_SERVER * settings.timeout_s),
                "connect_timeout": max(2, int(settings.timeout_s)),
                "application_name": "pigwav",
                "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms}"
                f" -c idle_in_transaction_session_timeout={_FROZEN_AFTER * timeout_ms} -c timezone=UTC",
                "tcp_user_timeout": timeout_ms,
            },
            hide_parameters=True,  # parameters hold token hashes and titles; errors are logged
        )
        _ping_rested_connections(engine)
        return cls(engine)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction, committed at the end of the block. Raises DatabaseUnavailable."""
        with translate_errors(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session in autocommit mode: each statement is a transaction. Raises DatabaseUnavailable.

        This saves two round trips on the hot read path.
        """
        with translate_errors(), Session(self._engine) as session:
            # Not with SQLAlchemy's isolation level: it sends statements to set and to reset it, and a connection that
            # dies before the second one is lost to the pool for ever.
            connection = session.connection().connection.driver_connection
            assert connection is not None  # noqa: S101 - it was just taken out of the pool
            connection.autocommit = True
            try:
                yield session
            finally:
                if not connection.closed:
                    connection.autocommit = False

    @contextmanager
    def only_runner(self, job: int) -> Iterator[bool]:
        """True for at most one caller at a time, among all processes on this database (a Postgres advisory lock)."""
        with self.read() as session:
            mine = bool(session.execute(text("SELECT pg_try_advisory_lock(:job)"), {"job": job}).scalar_one())
            try:
                yield mine
            finally:
                if mine:
                    session.execute(text("SELECT pg_advisory_unlock(:job)"), {"job": job})

    def close(self) -> None:
        self._engine.dispose()


def _ping_rested_connections(engine: Engine) -> None:
    """Pings a connection that has been idle for _RESTED_S when it is taken out of the pool.

    Without it, the first requests after a restart of the database would fail. `pool_pre_ping` pings every time, which
    adds a third to the database time of the hot read path.
    """

    def rest(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:  # noqa: ARG001
        record.info["rests_since_s"] = time.monotonic()

    def wake(connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: object) -> None:  # noqa: ARG001
        if time.monotonic() - record.info.get("rests_since_s", math.inf) < _RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens another one

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", wake)
