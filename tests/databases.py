"""New databases on the session's Postgres, and their URLs."""

from uuid import uuid4

from sqlalchemy import make_url

from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.devstack.postgres import OWNER, SERVICE
from pigwav.provisioning.service_role import ServiceRole


def fresh_database(url: str, *, revision: str | None = None) -> str:
    """The URL of a new database with the schema, on the server of `url`, for the service's role, which can do nothing
    but the service's work: a test that needs more uses `as_owner`.

    `revision`: the migration of its schema (None: this release's).
    """
    owner = empty_database(url)
    service = url_with(owner, username=SERVICE)
    upgrade(owner, to=revision)
    ServiceRole(owner, service).make()
    return service


def empty_database(url: str, *, options: str = "") -> str:
    """The URL of a new database on the server of `url`, for its owner. It is deleted with the session's Postgres.

    `options`: more of CREATE DATABASE, such as an encoding.
    """
    name = f"test_{uuid4().hex}"
    run_as_owner(url, f'CREATE DATABASE "{name}" {options}')
    return url_with(url, username=OWNER, database=name)


def run_as_owner(url: str, *statements: str) -> None:
    """Runs them one by one, without a transaction."""
    engine = open_engine(as_owner(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def as_owner(url: str) -> str:
    """The URL for the superuser of the embedded Postgres, which owns every schema."""
    return url_with(url, username=OWNER)


def url_with(url: str, **parts: str) -> str:
    """The URL with other parts: `username`, `password`, `database`."""
    return make_url(url).set(**parts).render_as_string(hide_password=False)
