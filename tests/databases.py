"""New databases on the session's Postgres."""

from uuid import uuid4

from sqlalchemy import create_engine

from pigwav.db.migrate import upgrade
from pigwav.db.session import driver_url


def fresh_database(url: str, *, revision: str | None = None) -> str:
    """The URL of a new database on the server of `url`. It is deleted with the session's Postgres.

    `revision`: the migration of its schema (None: this release's).
    """
    name = f"test_{uuid4().hex}"
    engine = create_engine(driver_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    new = driver_url(url).set(database=name).render_as_string(hide_password=False)
    upgrade(new, to=revision)
    return new
