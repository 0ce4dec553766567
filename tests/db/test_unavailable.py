"""If the database is unavailable, operators and logs get the reason without passwords."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from databases import fresh_database
from pigwav.db.migrate import upgrade
from pigwav.db.session import Database, driver_url
from pigwav.devstack import StackAddress
from pigwav.errors import DatabaseUnavailable
from pigwav.settings import DatabaseSettings


def run(url: str, *statements: str) -> None:
    engine = create_engine(driver_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def url(stack: StackAddress) -> str:
    return fresh_database(stack.database_url)


@pytest.fixture
def unprivileged(url: str) -> Iterator[str]:
    """The URL for a role without privileges."""
    role = f"unprivileged_{uuid4().hex}"
    run(url, f"CREATE ROLE {role} LOGIN")
    yield driver_url(url).set(username=role).render_as_string()
    run(url, f"DROP ROLE {role}")


def reason(url: str, statement: str) -> str:
    database = Database.open(DatabaseSettings(url=SecretStr(url)))
    try:
        with pytest.raises(DatabaseUnavailable) as raised, database.begin() as db:
            db.execute(text(statement))
    finally:
        database.close()
    return str(raised.value)


def test_nobody_at_the_address() -> None:
    said = reason("postgresql://someone:hidden@127.0.0.1:1/none", "SELECT 1")

    assert said.endswith("Connection refused.")
    assert "hidden" not in said


def test_an_unknown_role(url: str) -> None:
    unknown = driver_url(url).set(username="nobody", password="hidden").render_as_string(hide_password=False)

    said = reason(unknown, "SELECT 1")

    assert said.endswith('role "nobody" does not exist.')
    assert "hidden" not in said


def test_no_schema(url: str) -> None:
    run(url, "DROP TABLE recordings")

    assert reason(url, "SELECT 'private' FROM recordings").endswith('relation "recordings" does not exist.')


def test_a_role_without_rights(unprivileged: str) -> None:
    assert reason(unprivileged, "SELECT * FROM users").endswith("permission denied for table users.")


def test_a_read_only_database(url: str) -> None:
    run(url, f"ALTER DATABASE {driver_url(url).database} SET default_transaction_read_only = on")

    assert "read-only transaction" in reason(url, "INSERT INTO users (name) VALUES ('x')")
    run(url, "SET default_transaction_read_only = off", "DELETE FROM alembic_version")
    with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
        upgrade(url)


def test_a_migration_without_rights(url: str, unprivileged: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="permission denied for table alembic_version"):
        upgrade(unprivileged)


def test_a_migration_of_a_later_releases_schema(url: str) -> None:
    run(url, "UPDATE alembic_version SET version_num = 'later'")

    with pytest.raises(DatabaseUnavailable, match="later"):
        upgrade(url)


def test_a_migration_of_nothing() -> None:
    with pytest.raises(DatabaseUnavailable, match="Connection refused") as raised:
        upgrade("postgresql://someone:hidden@127.0.0.1:1/none")

    assert "hidden" not in str(raised.value)
