"""Makes the service's database role, which reads and writes the service's rows and can do nothing else.

Each `migrate` grants what its release needs, so nothing is granted in advance for tables of later releases.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from pigwav.db.driver_errors import translate_errors
from pigwav.db.engine import open_engine
from pigwav.db.migrate import lock_migrations
from pigwav.db.models import Row
from pigwav.db.role import current_role, excess
from pigwav.db.url import SERVICE, connection_parameters
from pigwav.errors import DatabaseUnavailable, NotConfigured, NotProvisioned
from pigwav.provisioning.role_proof import prove, was_refused
from pigwav.provisioning.steps import State, Step

OWNER: Final = "PIGWAV_MIGRATE_DATABASE_URL"

TABLES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(Row.metadata.tables, frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})),
    "alembic_version": frozenset({"SELECT"}),
}
"""What the service does with each table. Sequences need no grant, because they belong to identity columns."""

_GRANTED: Final = text("""
    SELECT privilege
    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
    WHERE has_table_privilege(:role, to_regclass(:table), privilege)
""")


@dataclass(frozen=True)
class _Requirement:
    """Something that must hold in the database. `sql` makes it hold, and can be repeated. `holds`: None if it cannot be
    asked. `password`: the last words of `sql`, which are not printed.
    """

    what: str
    holds: Callable[[], bool] | None
    sql: str
    password: str = ""


class ServiceRole:
    """The role of `service_url` in the database of `owner_url`. Raises NotConfigured."""

    def __init__(self, owner_url: str, service_url: str) -> None:
        self._owner_url, self._service_url = owner_url, service_url
        parameters = connection_parameters(service_url)
        # Where the URL has no user and no password, libpq takes them from these variables.
        self._named = parameters.get("user") or os.environ.get("PGUSER") or ""
        self._password = parameters.get("password") or os.environ.get("PGPASSWORD")
        if not self._named:
            raise NotConfigured(f"{SERVICE} names no role: write postgresql://role:password@host/database.")

    def run(self) -> Iterator[Step]:
        """`make`, and then tests the role by trying. Raises as `make` does."""
        steps = self.make()
        yield from steps
        if all(step.state in (State.KEPT, State.MADE) for step in steps):
            with self._owner() as owner, self._service() as service:
                yield from prove(owner, service)

    def make(self) -> list[Step]:
        """Creates the role if it does not exist, grants it what the service needs, and sets the URL's password if the
        role cannot log in. If the owner may not do a step, it is the last one, and says what an administrator has to
        run.

        An existing role that owns something or can do more than an ordinary role is not changed.

        Raises NotConfigured, NotProvisioned (for such a role), DatabaseUnavailable (also if the role cannot log in).
        """
        logged_in = self._logged_in()
        role = logged_in or self._named
        with self._owner() as db:
            lock_migrations(db)
            if role == current_role(db):
                return [_same_role(db, role)]
            if rights := excess(db, role):
                raise NotProvisioned(
                    f"The role {role} of PIGWAV_DATABASE_URL {' and '.join(rights)}. Name another role there; `pigwav"
                    " migrate` makes it."
                )
            needed = [self._role(db, role), *_grants(db, role)]
            if logged_in is None and self._password and _exists(db, role):
                needed.insert(1, self._login(db, role))
            steps = [*_fulfilled(db, needed)]
        if logged_in is None and steps[-1].state is not State.TO_DO:
            with self._service():
                pass  # raises the reason why the role still cannot log in
        return steps

    def _logged_in(self) -> str | None:
        """The role that the service's URL logs in as; None if it cannot, whatever the reason."""
        try:
            with self._service() as db:
                return current_role(db)
        except DatabaseUnavailable:
            return None

    def _role(self, db: Connection, role: str) -> _Requirement:
        """An ordinary role: no superuser, creates no roles and no databases, does not replicate."""
        return _Requirement(
            f"role {role}, which may log in",
            lambda: _exists(db, role),
            f"CREATE ROLE {_quoted(db, role)} LOGIN",
            self._password_clause(db, role),
        )

    def _login(self, db: Connection, role: str) -> _Requirement:
        return _Requirement(
            f"role {role} with the password of PIGWAV_DATABASE_URL",
            None,
            f"ALTER ROLE {_quoted(db, role)} LOGIN",
            self._password_clause(db, role),
        )

    def _password_clause(self, db: Connection, role: str) -> str:
        """The server gets a hash, so that its log cannot show the password."""
        if not self._password:
            return ""
        driver = db.connection.driver_connection
        return f" PASSWORD '{encrypt_password(self._password, role, driver, 'scram-sha-256')}'"

    @contextmanager
    def _owner(self) -> Iterator[Connection]:
        with _transaction(self._owner_url, OWNER) as db:
            yield db

    @contextmanager
    def _service(self) -> Iterator[Connection]:
        with _transaction(self._service_url, SERVICE) as db:
            yield db


def one_role(url: str) -> Step | None:
    """A warning if the role of the only URL can do more than the service's work. Raises DatabaseUnavailable."""
    with _transaction(url, SERVICE) as db:
        role = current_role(db)
        rights = excess(db, role)
    if not rights:
        return None
    return Step(
        State.WARNING,
        f"the service's role {role} {' and '.join(rights)}. Set {OWNER} to this role's URL, and PIGWAV_DATABASE_URL to"
        " the URL of another role; `pigwav migrate` makes it and lets it do the service's work only.",
    )


def _same_role(db: Connection, role: str) -> Step:
    rights = " and ".join(excess(db, role)) or "migrates the schema"
    return Step(
        State.WARNING,
        f"{OWNER} and PIGWAV_DATABASE_URL name the same role, {role}, which {rights}. Name another role in"
        " PIGWAV_DATABASE_URL; `pigwav migrate` makes it and lets it do the service's work only.",
    )


def _grants(db: Connection, role: str) -> Iterator[_Requirement]:
    """What the service needs, and what nobody may do without a grant of their own."""
    to, database, schema = _quoted(db, role), db.scalar(text("SELECT current_database()")), _schema(db)
    here, there = _quoted(db, database), _quoted(db, schema)

    def may(kind: str, name: str, privilege: str) -> bool:
        asked = text(f"SELECT has_{kind}_privilege(:role, :name, :privilege)")
        return bool(db.scalar(asked, {"role": role, "name": name, "privilege": privilege}))

    yield _Requirement(
        f"role {role} may connect to database {database}",
        lambda: may("database", database, "CONNECT"),
        f"GRANT CONNECT ON DATABASE {here} TO {to}",
    )
    yield _Requirement(
        f"role {role} may use schema {schema}",
        lambda: may("schema", schema, "USAGE"),
        f"GRANT USAGE ON SCHEMA {there} TO {to}",
    )
    for table, wanted in TABLES.items():
        if db.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is None:
            continue  # the schema of an earlier release does not have it
        name = f"{there}.{_quoted(db, table)}"
        yield _Requirement(
            f"role {role} may {', '.join(sorted(wanted)).lower()} in table {table}, and nothing else",
            partial(_has_exactly, db, role, table, wanted),
            f"REVOKE ALL ON {name} FROM {to}; GRANT {', '.join(sorted(wanted))} ON {name} TO {to}",
        )
    yield _Requirement(
        f"without a grant, no role creates tables in schema {schema}",
        lambda: not may("schema", schema, "CREATE"),
        f"REVOKE CREATE ON SCHEMA {there} FROM PUBLIC, {to}",
    )
    yield _Requirement(
        f"without a grant, no role creates schemas and temporary tables in database {database}",
        lambda: not may("database", database, "CREATE, TEMPORARY"),
        f"REVOKE CREATE, TEMPORARY ON DATABASE {here} FROM PUBLIC, {to}",
    )


def _fulfilled(db: Connection, requirements: list[_Requirement]) -> Iterator[Step]:
    """Fulfils one requirement after the other. Ends after the first one that the connection's role may not fulfil."""
    for requirement in requirements:
        holds = requirement.holds
        if holds and holds():
            yield Step(State.KEPT, requirement.what)
        # If only a part of the privileges could be revoked, Postgres reports no error.
        elif _executed(db, requirement.sql + requirement.password) and (holds is None or holds()):
            yield Step(State.MADE, requirement.what)
        else:
            shown = " PASSWORD '...'" if requirement.password else ""
            yield Step(
                State.TO_DO,
                f"{requirement.what}: the role {current_role(db)} may not do this. Let an administrator run the"
                f" following in this database, and then run `pigwav migrate` again\n{requirement.sql}{shown};",
            )
            return


def _executed(db: Connection, sql: str) -> bool:
    """False if the connection's role has no right to do it; then it is undone."""
    try:
        with db.begin_nested():
            db.exec_driver_sql(sql)
    except DBAPIError as error:
        if not was_refused(error):
            raise
        return False
    return True


def _exists(db: Connection, role: str) -> bool:
    return bool(db.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}))


def _schema(db: Connection) -> str:
    """The schema of the service's tables. The role of the migrations determines it, by its search_path."""
    asked = text(
        "SELECT nspname FROM pg_namespace n JOIN pg_class c ON n.oid = relnamespace WHERE c.oid = to_regclass(:t)"
    )
    return str(db.scalar(asked, {"t": "users"}))


def _has_exactly(db: Connection, role: str, table: str, wanted: Set[str]) -> bool:
    return set(db.scalars(_GRANTED, {"role": role, "table": table})) == wanted


def _quoted(db: Connection, name: str) -> str:
    return db.dialect.identifier_preparer.quote_identifier(name)


@contextmanager
def _transaction(url: str, setting: str) -> Iterator[Connection]:
    """Raises NotConfigured, DatabaseUnavailable."""
    engine = open_engine(url, setting=setting, poolclass=NullPool)
    with translate_errors(), engine.begin() as connection:
        yield connection
