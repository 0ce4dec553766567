"""Creates the database of the embedded Postgres, applies the schema, and makes the service's role.

    python -P -m pigwav.devstack.database_preparation POSTGRES_URL OWNER_URL SERVICE_URL

POSTGRES_URL is that of the database `postgres`, as the superuser. If it fails: exit code 1 and a message on standard
error. It is a process of its own, because SQLAlchemy and Alembic would stay in the supervisor's memory (30 MiB) for as
long as the service runs.
"""

import sys

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.devstack.postgres import DATABASE
from pigwav.errors import ChildProcessFailed, PigWavError
from pigwav.provisioning.service_role import ServiceRole


def main(postgres_url: str, owner_url: str, service_url: str) -> None:
    try:
        make_database(postgres_url)
        upgrade(owner_url)
        ServiceRole(owner_url, service_url).make()
    except PigWavError as error:
        sys.exit(f"pigwav: {error}")


def make_database(postgres_url: str) -> None:
    """Creates the database if it does not exist. Raises ChildProcessFailed."""
    engine = open_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    there = text("SELECT count(*) FROM pg_database WHERE datname = :name")
    try:
        with engine.connect() as connection:
            if not connection.scalar(there, {"name": DATABASE}):
                connection.execute(text(f"CREATE DATABASE {DATABASE}"))
    except OperationalError as error:
        raise ChildProcessFailed(f"Postgres does not answer: {error.orig}") from error


if __name__ == "__main__":
    main(*sys.argv[1:])
