"""Which revision of the schema there is, and which one this release needs. `migrate` makes the one of the other."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text


@cache
def needed() -> str:
    """The newest of the migrations: their files begin with their revisions."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.glob("[0-9]*.py"))


def current(connection: Connection) -> str | None:
    """The revision that the database has; None for an empty one. As Alembic keeps it, which takes 0.1 s to load."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
