"""Connections to the database, and short transactions on them."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from pigwav.db.driver_errors import translate_errors
from pigwav.db.engine import open_engine
from pigwav.errors import NotConfigured
from pigwav.settings import DatabaseSettings

_RESTED_S: Final = 1.0


class Database:
    """A pool of connections. A connection is held for one `with` block, and none while an upload or download runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: DatabaseSettings) -> Self:
        """Connects on first use, so a service can start before its database. Raises NotConfigured."""
        if settings.url is None:
            raise NotConfigured("PIGWAV_DATABASE_URL is not set")
        engine = open_engine(
            settings.url.get_secret_value(),
            timeout_s=settings.timeout_s,
            pool_size=settings.thread_connections,
            max_overflow=0,
            pool_timeout=settings.timeout_s,
        )
        _ping_rested_connections(engine)
        return cls(engine)

    @contextmanager
    def begin(self, *, one_statement: bool = False) -> Iterator[Session]:
        """One transaction, committed at the end of the block. Raises DatabaseUnavailable.

        `one_statement`: the block executes one statement, and Postgres commits it, as in `read`.
        """
        if one_statement:
            with self._autocommit() as session:
                yield session
        else:
            with (
                translate_errors(),
                Session(self._engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session in autocommit mode: each statement is a transaction. Raises DatabaseUnavailable.

        This saves two round trips on the hot read path.
        """
        with self._autocommit() as session:
            yield session

    @contextmanager
    def _autocommit(self) -> Iterator[Session]:
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
