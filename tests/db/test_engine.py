"""What every connection has, whatever the URL, the role and the database say, and without any state of its session."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from databases import empty_database, fresh_database, run_as_owner, url_with
from e2e.programs import run_pigwav
from needs import without_pgbouncer
from pigwav.db import users
from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.db.session import Database
from pigwav.devstack import StackAddress
from pigwav.domain import UserId
from pigwav.errors import DatabaseUnavailable
from pigwav.settings import DatabaseSettings

TIMEOUT_S = 0.3
LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(scope="module")
def url(stack: StackAddress) -> str:
    return fresh_database(stack.database_url)


def opened(url: str, **settings: object) -> closing[Database]:
    return closing(Database.open(DatabaseSettings(url=SecretStr(url), **settings)))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with opened(url, timeout_s=TIMEOUT_S) as database:
        yield database


def limits(db: Session) -> list[str]:
    return [db.execute(text(f"SHOW {name}")).scalar_one() for name in LIMITS]


def test_each_statement_has_limits_and_the_session_has_none(database: Database) -> None:
    with database.begin() as db:
        assert limits(db) == ["300ms", "1800ms"]
    with database.read() as db:
        assert limits(db) == ["300ms", "1800ms"]
        connection = db.connection().connection.driver_connection
        assert connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(setting::int) FROM pg_settings WHERE name = ANY(%s)", [[*LIMITS]])
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("kind", ["read", "begin"])
def test_no_statement_hangs(database: Database, kind: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="statement timeout"), getattr(database, kind)() as db:
        db.execute(text("SELECT pg_sleep(60)"))


@pytest.mark.parametrize("kind", ["read", "begin"])
def test_no_statement_waits_for_a_lock_for_ever(database: Database, url: str, kind: str) -> None:
    engine = open_engine(url)
    with engine.begin() as other:
        other.execute(text("LOCK TABLE users"))
        with pytest.raises(DatabaseUnavailable, match="statement timeout"), getattr(database, kind)() as db:
            users.by_token(db, bytes(32))
    engine.dispose()


def test_rows_are_streamed_under_limits(database: Database) -> None:
    with database.begin() as db:
        numbers = text("SELECT generate_series(1, 2500)").execution_options(yield_per=1000)
        assert len([*db.execute(numbers).scalars()]) == 2500


@without_pgbouncer("it refuses start-up options")
def test_options_of_the_url_stay(url: str) -> None:
    with (
        opened(f"{url}&options=-csearch_path%3Dvoice%20-cstatement_timeout%3D60000") as database,
        database.read() as db,
    ):
        assert db.execute(text("SHOW search_path")).scalar_one() == "voice"
        assert limits(db) == ["10s", "1min"]


def test_text_is_utf_8_and_times_are_in_utc_whatever_the_role_says(url: str) -> None:
    role = f"role_{uuid4().hex}"
    for statement in (
        f"CREATE ROLE {role} LOGIN SUPERUSER",
        f"ALTER ROLE {role} SET client_encoding = 'LATIN1'",
        f"ALTER ROLE {role} SET timezone = 'Asia/Tokyo'",
        f"ALTER ROLE {role} SET datestyle = 'German'",
    ):
        run_as_owner(url, statement)
    with opened(url_with(url, username=role) + "&client_encoding=latin1") as database:
        with database.begin() as db:
            user = users.add(db, "Жанна", uuid4().bytes * 2)
        assert user
        with database.read() as db:
            [found] = users.summaries(db, after=UserId(user - 1), limit=1)
    run_as_owner(url, f"DROP ROLE {role}")

    assert found.user.name == "Жанна"
    assert found.registered_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "WIN1251"])
def test_a_database_that_is_not_utf_8_is_refused(stack: StackAddress, encoding: str) -> None:
    options = f"TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    url = empty_database(stack.database_url, options=options)

    migrated = run_pigwav("migrate", PIGWAV_DATABASE_URL=url)
    with pytest.raises(DatabaseUnavailable) as raised, opened(url) as database, database.read() as db:
        db.execute(text("SELECT 1"))

    said = str(raised.value)
    assert f"{make_url(url).database} has the encoding {encoding}" in said
    assert "ENCODING 'UTF8'" in said
    assert migrated.returncode != 0
    assert said in migrated.stderr
    assert migrated.stderr.count("\n") == 1


@pytest.mark.parametrize("parameter", ["schema=public", "pgbouncer=true", "ssl=true"])
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_parameter_of_another_driver_is_one_sentence(url: str, command: str, parameter: str) -> None:
    ended = run_pigwav(command, PIGWAV_DATABASE_URL=f"{url}&{parameter}", PIGWAV_S3_BUCKET="bucket")

    assert ended.returncode != 0
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert repr(parameter.partition("=")[0]) in ended.stderr


def several_hosts(url: str) -> str:
    """The first is down."""
    folder, port = (url.partition(f"{name}=")[2].partition("&")[0] for name in ("host", "port"))
    at = f"%2Fnowhere:{port},{folder.replace('/', '%2F')}:{port}"
    return url.partition("?")[0].replace("@/", f"@{at}/") + "?target_session_attrs=read-write"


def socket_as_host(url: str) -> str:
    folder, port = (url.partition(f"{name}=")[2].partition("&")[0] for name in ("host", "port"))
    return url.partition("?")[0].replace("@/", f"@{folder.replace('/', '%2F')}:{port}/")


def driver_named(url: str) -> str:
    return url.replace("postgresql://", "postgres+asyncpg://")


@pytest.mark.parametrize("form", [several_hosts, socket_as_host, driver_named])
def test_what_migrate_accepts_serves(stack: StackAddress, form) -> None:
    url = form(empty_database(stack.database_url))

    upgrade(url)
    with opened(url) as database, database.read() as db:
        assert users.by_token(db, bytes(32)) is None
