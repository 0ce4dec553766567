"""Migrates the schema. `pigwav migrate` does it; a replica never does it when it starts."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from pigwav.db.driver_errors import translate_errors
from pigwav.db.revision import needed
from pigwav.db.session import driver_url
from pigwav.errors import DatabaseUnavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x5069675761764442  # "PigWavDB": one migration at a time


def upgrade(url: str, *, to: str | None = None, lock_timeout_s: float = 5) -> str:
    """Upgrades the schema to a revision, by default this release's, and returns it.

    Raises NotConfigured and DatabaseUnavailable, the latter also if another transaction locks a table for longer than
    `lock_timeout_s`.
    """
    to = to or needed()
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = create_engine(driver_url(url), poolclass=NullPool)
    try:
        with translate_errors(), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # A statement that waits for a table's lock blocks all other access to the table: better to fail and retry.
            connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout_s * 1000)}"))
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except CommandError as error:
        raise DatabaseUnavailable(f"The database has the schema of another release: {error}.") from error
    return to
