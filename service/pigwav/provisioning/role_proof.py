"""Tests, by trying, that the service's database role can do the service's work and nothing else."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, Executable, delete, false, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from pigwav.db.models import Row
from pigwav.errors import NotProvisioned
from pigwav.provisioning.steps import State, Step

_INSUFFICIENT_PRIVILEGE: Final = "42501"

_WITHIN: Final = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s'"
"""A statement that is not refused may need a lock that the running service holds."""


def prove(owner: Connection, service: Connection) -> Iterator[Step]:
    """Tries each statement as the service's role and undoes it. No statement that should work changes a row.

    `owner`: the same database, as the role that migrates. Raises NotProvisioned if `service` does not find the tables.
    """
    _check_same_tables(owner, service)
    service.exec_driver_sql(_WITHIN)
    for what, statements in _work():
        failed = next(filter(None, (_tried(service, statement) for statement in statements)), None)
        if failed is None:
            yield Step(State.PROVEN, f"works: {what}")
        else:
            yield Step(State.WRONG, f"fails: {what}: {_reason(failed)}")
    for what, sql in _must_not(service):
        failed = _tried(service, sql)
        if failed is None:
            yield Step(State.WRONG, f"not refused: {what}")
        elif was_refused(failed):
            yield Step(State.PROVEN, f"refused: {what}")
        else:
            yield Step(State.WRONG, f"not clear whether refused: {what}: {_reason(failed)}")


def was_refused(error: DBAPIError) -> bool:
    """Whether the statement failed because the role has no right to it."""
    return getattr(error.orig, "pgcode", None) == _INSUFFICIENT_PRIVILEGE


def _check_same_tables(owner: Connection, service: Connection) -> None:
    found = text("SELECT current_database(), to_regclass('users')::oid")
    where = text("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('users')")
    [database, table], [own_database, own_table] = owner.execute(found).one(), service.execute(found).one()
    if own_database != database:
        raise NotProvisioned(
            f"PIGWAV_MIGRATE_DATABASE_URL leads to the database {database}, and PIGWAV_DATABASE_URL to {own_database}."
        )
    if own_table != table:
        schema = owner.scalar(where)
        raise NotProvisioned(
            f"The role of PIGWAV_DATABASE_URL does not find the tables, which are in the schema {schema}: run"
            f" ALTER ROLE ... IN DATABASE ... SET search_path = {schema}."
        )


def _work() -> Iterator[tuple[str, list[Executable]]]:
    """The service's verbs on each of its tables, on no row."""
    yield "read the schema's revision", [text("SELECT version_num FROM alembic_version")]
    for name, table in Row.metadata.tables.items():
        columns = [column for column in table.columns if column.identity is None]
        yield (
            f"select, lock, insert, update and delete rows of {name}",
            [
                select(table).where(false()),
                select(table).where(false()).with_for_update(),
                insert(table).from_select(columns, select(*columns).where(false())),
                update(table).values({columns[0]: columns[0]}).where(false()),
                delete(table).where(false()),
            ],
        )


def _must_not(service: Connection) -> Iterator[tuple[str, str]]:
    quoted = service.dialect.identifier_preparer.quote_identifier
    role, schema, owner = service.execute(
        text(
            "SELECT current_user, relnamespace::regnamespace::text, pg_get_userbyid(relowner)"
            " FROM pg_class WHERE oid = to_regclass('users')"
        )
    ).one()
    yield "create a table", f"CREATE TABLE {schema}.pigwav_probe (n int)"
    yield "create a temporary table", "CREATE TEMPORARY TABLE pigwav_probe (n int)"
    yield "create a schema", "CREATE SCHEMA pigwav_probe"
    # dblink first: with it, SQL could connect as another role.
    available = text(
        "SELECT name FROM pg_available_extensions WHERE installed_version IS NULL ORDER BY name <> 'dblink', name"
    )
    if extension := service.scalar(available):
        yield f"install the extension {extension}", f"CREATE EXTENSION {quoted(extension)}"
    yield "change a table", "ALTER TABLE job_leases ADD COLUMN pigwav_probe int"
    yield "drop a table", "DROP TABLE job_leases"
    yield "empty a table without reading it", "TRUNCATE job_leases"
    yield "change the schema's revision", "UPDATE alembic_version SET version_num = version_num WHERE false"
    yield "create a role", "CREATE ROLE pigwav_probe"
    yield "become a superuser", f"ALTER ROLE {quoted(role)} SUPERUSER"
    yield "become the owner of the tables", f"SET LOCAL ROLE {quoted(owner)}"
    yield "become the owner's session", f"SET LOCAL SESSION AUTHORIZATION {quoted(owner)}"
    yield "read the hashes of passwords", "SELECT count(*) FROM pg_authid"
    yield "read a file of the server", "SELECT pg_read_file('PG_VERSION')"
    yield "run a program on the server", "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'"


def _tried(service: Connection, statement: Executable | str) -> DBAPIError | None:
    """The statement's error, or None. Its effects are undone."""
    savepoint = service.begin_nested()
    try:
        if isinstance(statement, str):
            service.exec_driver_sql(statement)
        else:
            service.execute(statement)
    except DBAPIError as error:
        return error
    finally:
        savepoint.rollback()
    return None


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
