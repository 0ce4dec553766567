"""Migrates the schema. `pigwav migrate` does it; a replica never does it when it starts."""

import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.pool import NullPool

from pigwav.db.concurrent_indexes import make_concurrent_indexes
from pigwav.db.driver_errors import translate_errors
from pigwav.db.engine import open_engine
from pigwav.db.revision import needed
from pigwav.db.url import SERVICE
from pigwav.errors import DatabaseUnavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x5069675761764442  # "PigWavDB": one migration at a time
_TRY_TO_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)")
_LOCK_EVERY_S: Final = 0.1


def lock_migrations(connection: Connection) -> None:
    """Waits until no other process migrates this database, and keeps others from it until the transaction ends."""
    # A statement that waits has a snapshot, and an index that is made concurrently would wait for its end.
    while not connection.execute(_TRY_TO_LOCK, {"lock": _LOCK}).scalar_one():
        time.sleep(_LOCK_EVERY_S)


def upgrade(url: str, *, setting: str = SERVICE, to: str | None = None, lock_timeout_s: float = 5) -> str:
    """Upgrades the schema to a revision, by default this release's, and returns it. `setting`: where the URL is from.

    Raises NotConfigured and DatabaseUnavailable, the latter also if another transaction locks a table for longer than
    `lock_timeout_s`.
    """
    to = to or needed()
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = open_engine(url, setting=setting, poolclass=NullPool)
    try:
        with translate_errors(), engine.begin() as connection:
            lock_migrations(connection)
            # A statement that waits for a table's lock blocks all other access to the table: better to fail and retry.
            connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout_s * 1000)}"))
            config.attributes["connection"] = connection
            command.upgrade(config, to)
        if to == needed():
            _make_concurrent_indexes(engine)
    except CommandError as error:
        raise DatabaseUnavailable(f"The database has the schema of another release: {error}.") from error
    return to


def _make_concurrent_indexes(engine: Engine) -> None:
    in_autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with translate_errors(), engine.begin() as locking, in_autocommit.connect() as connection:
        lock_migrations(locking)
        make_concurrent_indexes(connection)
