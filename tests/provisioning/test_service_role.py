"""The service's database role: what `migrate` makes, what it refuses to change, and that the proof finds excess."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import make_url

from databases import as_owner, empty_database, run_as_owner, url_with
from e2e.programs import Ended, run_pigwav
from pigwav.db.migrate import upgrade
from pigwav.devstack import StackAddress
from pigwav.devstack.postgres import OWNER
from pigwav.errors import DatabaseUnavailable, NotConfigured, NotProvisioned
from pigwav.provisioning.service_role import TABLES, ServiceRole
from pigwav.provisioning.steps import State, Step
from waiting import wait_until

REFUSED = 15
WORKING = len(TABLES)
ODD = """p@ss:w%rd/ \\#&?='"$"""


@pytest.fixture(scope="module")
def owner(stack: StackAddress) -> str:
    """The owner's URL of a database with this release's schema. Each test has a role of its own."""
    url = empty_database(stack.database_url)
    upgrade(url)
    return url


@pytest.fixture
def name(owner: str) -> Iterator[str]:
    """The name of a role that does not exist. Odd on purpose: it has to be quoted everywhere."""
    name = f'Odd"% :role {uuid4().hex[:8]}'
    yield name
    remove(owner, name)


@pytest.fixture
def service(owner: str, name: str) -> str:
    """The service's URL."""
    return url_with(owner, username=name)


def remove(url: str, role: str) -> None:
    if ask(url, "SELECT count(*) FROM pg_roles WHERE rolname = %s", role):
        run_as_owner(url, f"DROP OWNED BY {quoted(role)}", f"DROP ROLE {quoted(role)}")


def quoted(role: str) -> str:
    """As `exec_driver_sql` needs it."""
    return '"' + role.replace('"', '""').replace("%", "%%") + '"'


def ask(url: str, sql: str, *values: object) -> object:
    """The first row's value as the owner."""
    with closing(psycopg2.connect(as_owner(url))) as connection, connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchone()[0]


def in_state(steps: list[Step], state: State) -> list[str]:
    return [step.what for step in steps if step.state is state]


def state_of_everything(url: str) -> object:
    """Objects, roles, rights, and the value of the sequence of user ids."""
    return [
        ask(url, f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t")
        for table in (
            "pg_class",
            "pg_attribute",
            "pg_roles",
            "pg_namespace",
            "pg_database",
            "pg_extension",
            "pg_auth_members",
            "(SELECT last_value FROM users_id_seq)",
        )
    ]


def test_a_new_role_can_do_the_services_work_and_nothing_else(owner: str, service: str, name: str) -> None:
    steps = list(ServiceRole(owner, service).run())

    assert in_state(steps, State.MADE)[0] == f"role {name}, which may log in"
    proven = in_state(steps, State.PROVEN)
    assert len([what for what in proven if what.startswith("works: ")]) == WORKING
    assert len([what for what in proven if what.startswith("refused: ")]) == REFUSED
    assert {step.state for step in steps} == {State.KEPT, State.MADE, State.PROVEN}
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    assert (
        ask(owner, f"SELECT ROW({attributes})::text FROM pg_roles WHERE rolname = %s", name) == "(f,f,f,f,f)"
    )


def test_another_time_changes_nothing_and_the_proof_leaves_nothing(owner: str, service: str) -> None:
    list(ServiceRole(owner, service).run())
    before = state_of_everything(owner)

    steps = list(ServiceRole(owner, service).run())

    assert {step.state for step in steps} == {State.KEPT, State.PROVEN}
    assert state_of_everything(owner) == before


def test_each_migrate_grants_what_its_release_needs(stack: StackAddress, name: str) -> None:
    owner = empty_database(stack.database_url)
    service = url_with(owner, username=name)
    upgrade(owner, to="0001")
    ServiceRole(owner, service).make()
    upgrade(owner)

    steps = list(ServiceRole(owner, service).run())

    made = [what.partition(" table ")[2].partition(",")[0] for what in in_state(steps, State.MADE)]
    assert made == ["waveforms", "idempotency_keys", "job_leases"]
    assert in_state(steps, State.WRONG) == []
    remove(owner, name)


@pytest.mark.parametrize(
    "more",
    [
        "GRANT TRUNCATE, TRIGGER ON users TO {role}",
        "GRANT UPDATE ON alembic_version TO {role}",
        "REVOKE SELECT ON recordings FROM {role}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT CREATE ON SCHEMA public TO {role}",
        "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
        "GRANT CREATE ON DATABASE {database} TO {role}",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}",
    ],
)
def test_rights_that_differ_are_corrected(owner: str, service: str, name: str, more: str) -> None:
    ServiceRole(owner, service).make()
    run_as_owner(owner, more.format(role=quoted(name), database=make_url(owner).database))

    steps = list(ServiceRole(owner, service).run())

    assert len(in_state(steps, State.MADE)) == 1
    assert in_state(steps, State.WRONG) == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("GRANT SELECT ON pg_authid TO {role}", "read the hashes of passwords"),
        ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {role}", "read a file of the server"),
        ("GRANT pg_execute_server_program TO {role}", "run a program on the server"),
    ],
)
def test_the_proof_finds_a_role_that_can_do_more(
    owner: str, service: str, name: str, more: str, found: str
) -> None:
    ServiceRole(owner, service).make()
    run_as_owner(owner, more.format(role=quoted(name)))

    steps = list(ServiceRole(owner, service).run())

    assert in_state(steps, State.WRONG) == [f"not refused: {found}"]


@pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
def test_a_role_with_attributes_is_refused_and_not_changed(
    owner: str, service: str, name: str, attribute: str
) -> None:
    run_as_owner(owner, f"CREATE ROLE {quoted(name)} LOGIN {attribute} PASSWORD 'before'")
    before = ask(owner, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", name)

    with pytest.raises(NotProvisioned, match=r"Name another role there") as raised:
        ServiceRole(owner, url_with(service, password="after")).make()

    assert f"The role {name} of PIGWAV_DATABASE_URL " in str(raised.value)
    assert ask(owner, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", name) == before


@pytest.mark.parametrize(
    ("owning", "told"),
    [
        ("ALTER DATABASE {database} OWNER TO {role}", "owns the database"),
        ("ALTER SCHEMA public OWNER TO {role}", "owns the schema"),
        ("ALTER TABLE users OWNER TO {role}", "owns the tables"),
    ],
)
def test_a_role_that_owns_something_is_refused(
    owner: str, service: str, name: str, owning: str, told: str
) -> None:
    run_as_owner(owner, f"CREATE ROLE {quoted(name)} LOGIN")
    database = make_url(owner).database
    run_as_owner(owner, owning.format(role=quoted(name), database=database))

    try:
        with pytest.raises(NotProvisioned, match=told):
            ServiceRole(owner, service).make()
    finally:
        run_as_owner(owner, f"REASSIGN OWNED BY {quoted(name)} TO {OWNER}")


def test_one_role_in_both_urls_is_a_warning(owner: str) -> None:
    [step] = ServiceRole(owner, owner).run()

    assert step.state is State.WARNING
    assert f"name the same role, {OWNER}, which is a superuser. Name another role" in step.what


def test_two_databases_are_told(owner: str, service: str, stack: StackAddress) -> None:
    ServiceRole(owner, service).make()
    elsewhere = empty_database(stack.database_url)
    other = url_with(elsewhere, username=make_url(service).username)

    with pytest.raises(NotProvisioned, match=f"leads to the database {make_url(owner).database}, and"):
        list(ServiceRole(owner, other).run())


def test_tables_in_another_schema(stack: StackAddress, name: str) -> None:
    superuser = empty_database(stack.database_url)
    schema, database = "Voice notes", make_url(superuser).database
    run_as_owner(superuser, f'CREATE SCHEMA "{schema}"')
    owner = f"{superuser}&options=-csearch_path%3D%22Voice%5C%20notes%22"
    service = url_with(superuser, username=name)
    upgrade(owner)

    with pytest.raises(NotProvisioned, match=f'search_path = "{schema}"'):
        list(ServiceRole(owner, service).run())

    run_as_owner(superuser, f'ALTER ROLE {quoted(name)} IN DATABASE {database} SET search_path = "{schema}"')
    steps = list(ServiceRole(owner, service).run())
    assert in_state(steps, State.WRONG) == []
    assert len(in_state(steps, State.PROVEN)) == WORKING + REFUSED
    remove(owner, name)


@pytest.fixture(scope="module")
def plain_owner(stack: StackAddress) -> Iterator[str]:
    """The URL of a role that owns a database and its schema, and may not create roles."""
    superuser, role = empty_database(stack.database_url), f"owner_{uuid4().hex[:8]}"
    database = make_url(superuser).database
    run_as_owner(superuser, f"CREATE ROLE {role} LOGIN", f"ALTER DATABASE {database} OWNER TO {role}")
    url = url_with(superuser, username=role)
    upgrade(url)
    yield url
    run_as_owner(superuser, f"REASSIGN OWNED BY {role} TO {OWNER}")
    remove(superuser, role)


def test_an_owner_that_may_not_create_roles_says_what_an_administrator_has_to_run(
    plain_owner: str, name: str
) -> None:
    service = url_with(plain_owner, username=name, password="hush")

    [step] = ServiceRole(plain_owner, service).run()
    assert step.state is State.TO_DO
    [sql] = step.what.splitlines()[1:]
    assert sql.endswith(" LOGIN PASSWORD '...';")
    run_as_owner(plain_owner, sql)

    steps = list(ServiceRole(plain_owner, service).run())
    assert len(in_state(steps, State.PROVEN)) == WORKING + REFUSED
    assert not {step.state for step in steps} & {State.TO_DO, State.WRONG}
    remove(plain_owner, name)


def test_a_url_without_a_role_is_refused(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGUSER", raising=False)
    with pytest.raises(NotConfigured, match="names no role"):
        ServiceRole(owner, "postgresql://h/d")


@pytest.fixture(scope="module")
def guarded(stack: StackAddress) -> str:
    """The same for a database in which all other roles need a password."""
    owner = empty_database(stack.database_url)
    upgrade(owner)
    database = make_url(owner).database
    rules = Path(str(ask(owner, "SHOW hba_file")))
    before = rules.read_text()
    rules.write_text(f"local {database} {OWNER} trust\nlocal {database} all scram-sha-256\n{before}")
    run_as_owner(owner, "SELECT pg_reload_conf()")
    stranger = url_with(owner, username=f"nobody_{uuid4().hex[:8]}")
    wait_until(lambda: "password" in failure(stranger))
    return owner


def failure(url: str) -> str:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError as error:
        return str(error)
    return ""


def migrate(owner: str, service: str, **more: str) -> Ended:
    return run_pigwav("migrate", PIGWAV_MIGRATE_DATABASE_URL=owner, PIGWAV_DATABASE_URL=service, **more)


def test_the_password_is_the_one_in_the_url_and_the_server_never_sees_it(guarded: str, name: str) -> None:
    service = url_with(guarded, username=name, password=ODD)

    ServiceRole(guarded, service).make()
    assert failure(service) == ""
    assert "password authentication failed" in failure(url_with(service, password="other"))
    kept = str(ask(guarded, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", name))
    assert kept.startswith("SCRAM-SHA-256$")

    ServiceRole(guarded, service).make()
    assert ask(guarded, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", name) == kept

    changed = url_with(service, password="another")
    steps = ServiceRole(guarded, changed).make()
    assert in_state(steps, State.MADE) == [f"role {name} with the password of PIGWAV_DATABASE_URL"]
    assert failure(changed) == ""
    assert failure(service) != ""
    remove(guarded, name)


def test_a_role_that_cannot_log_in_for_another_reason_is_told(guarded: str, name: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="no password supplied"):
        ServiceRole(guarded, url_with(guarded, username=name)).make()
    remove(guarded, name)


class TestTheCommand:
    def test_it_tells_what_it_made_and_what_it_proved(self, owner: str, service: str, name: str) -> None:
        ended = migrate(owner, service)

        assert (ended.returncode, ended.stderr) == (0, "")
        revision, made, *_ = ended.stdout.splitlines()
        assert revision.startswith("The schema is at revision ")
        assert made == f"made    role {name}, which may log in"
        assert ended.stdout.count("\nproven  ") == WORKING + REFUSED

    def test_it_fails_if_the_role_can_do_more(self, owner: str, service: str, name: str) -> None:
        migrate(owner, service)
        run_as_owner(owner, f"GRANT pg_execute_server_program TO {quoted(name)}")

        ended = migrate(owner, service)

        assert ended.returncode == 1
        assert "WRONG   not refused: run a program on the server" in ended.stdout
        assert ended.stderr == (
            "pigwav: The role of PIGWAV_DATABASE_URL is not limited to the service's work.\n"
        )

    def test_passwords_of_any_characters_are_outside_of_the_urls(self, guarded: str, name: str) -> None:
        migrating = f"owner_{uuid4().hex[:8]}"
        literal = ODD.replace("'", "''").replace("%", "%%")
        run_as_owner(guarded, f"CREATE ROLE {migrating} LOGIN SUPERUSER PASSWORD '{literal}'")
        owner, service = url_with(guarded, username=migrating), url_with(guarded, username=name)
        passwords = {"PIGWAV_MIGRATE_DATABASE_PASSWORD": ODD, "PGPASSWORD": f"other {ODD}"}

        ended = migrate(owner, service, **passwords)

        assert (ended.returncode, ended.stderr) == (0, "")
        assert ODD not in ended.stdout
        assert failure(url_with(service, password=f"other {ODD}")) == ""
        remove(guarded, name)
        run_as_owner(guarded, f"REASSIGN OWNED BY {migrating} TO {OWNER}", f"DROP ROLE {migrating}")

    def test_with_one_url_it_works_as_ever_and_warns_of_a_superuser(self, owner: str) -> None:
        ended = run_pigwav("migrate", PIGWAV_DATABASE_URL=owner)

        assert (ended.returncode, ended.stderr) == (0, "")
        _, warning = ended.stdout.splitlines()
        assert warning.startswith(f"warning the service's role {OWNER} is a superuser. Set PIGWAV_MIGRATE_")

    def test_with_one_url_it_warns_of_an_owner(self, plain_owner: str) -> None:
        ended = run_pigwav("migrate", PIGWAV_DATABASE_URL=plain_owner)

        assert ended.returncode == 0
        assert "owns the database and owns the schema and owns the tables. Set " in ended.stdout

    def test_with_one_url_it_is_silent_about_a_role_that_it_has_made(self, owner: str, service: str) -> None:
        migrate(owner, service)

        ended = run_pigwav("migrate", PIGWAV_DATABASE_URL=service)

        assert (ended.returncode, ended.stderr) == (0, "")
        assert len(ended.stdout.splitlines()) == 1

    def test_a_wrong_url_is_named(self, service: str) -> None:
        ended = migrate("mysql://u:hush@h/d", service)

        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == (
            "pigwav: PIGWAV_MIGRATE_DATABASE_URL begins with mysql://; PigWav needs postgresql://\n"
        )
