"""The schema's history, applied by `pigwav migrate` and never by a starting replica."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from pigwav.db.session import driver_url
from pigwav.errors import DatabaseUnavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x5069675761764442  # "PigWavDB": one migration at a time


def upgrade(url: str) -> str:
    """Bring the schema to this release's revision, which is answered. Raises NotConfigured, DatabaseUnavailable."""
    engine = create_engine(driver_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(_config(connection), "head")
    except OperationalError as error:
        raise DatabaseUnavailable from error
    return head()


def head() -> str:
    """The revision that this release needs."""
    revision = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    assert revision is not None, "the package carries its migrations"  # noqa: S101 - a broken build, not an input
    return revision


def current(connection: Connection) -> str | None:
    """The revision that the database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
