"""If the database is unavailable, operators and logs get the reason without passwords."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from databases import as_owner, fresh_database, run_as_owner, url_with
from needs import without_pgbouncer
from pigwav.db.migrate import upgrade
from pigwav.db.session import Database
from pigwav.devstack import StackAddress
from pigwav.errors import DatabaseUnavailable
from pigwav.settings import DatabaseSettings


@pytest.fixture
def url(stack: StackAddress) -> str:
    return fresh_database(stack.database_url)


@pytest.fixture
def unprivileged(url: str) -> Iterator[str]:
    """The URL for a role without privileges."""
    role = f"unprivileged_{uuid4().hex}"
    run_as_owner(url, f"CREATE ROLE {role} LOGIN")
    yield url_with(url, username=role)
    run_as_owner(url, f"DROP ROLE {role}")


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


@without_pgbouncer("it refuses the role in other words")
def test_an_unknown_role(url: str) -> None:
    unknown = url_with(url, username="nobody", password="hidden")

    said = reason(unknown, "SELECT 1")

    assert said.endswith('role "nobody" does not exist.')
    assert "hidden" not in said


def test_no_schema(url: str) -> None:
    run_as_owner(url, "DROP TABLE recordings CASCADE")

    assert reason(url, "SELECT 'private' FROM recordings").endswith('relation "recordings" does not exist.')


def test_a_role_without_rights(unprivileged: str) -> None:
    assert reason(unprivileged, "SELECT * FROM users").endswith("permission denied for table users.")


@without_pgbouncer("its sessions began before the change")
def test_a_read_only_database(url: str) -> None:
    run_as_owner(url, f"ALTER DATABASE {make_url(url).database} SET default_transaction_read_only = on")

    assert "read-only transaction" in reason(url, "INSERT INTO users (name) VALUES ('x')")
    run_as_owner(url, "SET default_transaction_read_only = off", "DELETE FROM alembic_version")
    with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
        upgrade(as_owner(url))


def test_a_migration_without_rights(url: str, unprivileged: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="permission denied for table alembic_version"):
        upgrade(unprivileged)


def test_a_migration_of_a_later_releases_schema(url: str) -> None:
    run_as_owner(url, "UPDATE alembic_version SET version_num = 'later'")

    with pytest.raises(DatabaseUnavailable, match="later"):
        upgrade(as_owner(url))


def test_a_migration_of_nothing() -> None:
    with pytest.raises(DatabaseUnavailable, match="Connection refused") as raised:
        upgrade("postgresql://someone:hidden@127.0.0.1:1/none")

    assert "hidden" not in str(raised.value)
