"""The revision of the database's schema, and the one that this release needs. `migrate` upgrades to it."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text


@cache
def needed() -> str:
    """The newest migration's revision. Names of migration files begin with their revisions."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.glob("[0-9]*.py"))


def current(connection: Connection) -> str | None:
    """The database's revision; None if it is empty. Reads Alembic's table without Alembic, whose import takes 0.1 s."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
