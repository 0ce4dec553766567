"""The migrations create the schema of the models, and constraints refuse invalid rows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from databases import as_owner, fresh_database, url_with
from needs import without_pgbouncer
from pigwav.db import migrate, recordings
from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.db.models import Row
from pigwav.db.revision import current, needed
from pigwav.devstack import StackAddress
from pigwav.domain import Tags, UserId
from pigwav.errors import DatabaseUnavailable
from pigwav.settings import Settings
from waiting import wait_until


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    assert settings.database.url
    engine = open_engine(settings.database.url.get_secret_value())
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


def test_the_migrations_make_exactly_the_models(connection: Connection) -> None:
    assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []
    assert current(connection) == needed()


def test_the_revision_that_is_needed_is_the_newest_migration() -> None:
    migrations = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(migrations)).get_current_head() == needed()


def test_an_empty_database_has_no_revision(stack: StackAddress) -> None:
    engine = open_engine(url_with(stack.database_url, database="postgres"))
    with engine.connect() as connection:
        assert current(connection) is None
    engine.dispose()


def test_every_check_of_the_models_is_in_the_database(connection: Connection) -> None:
    found = set(connection.execute(text("SELECT conname FROM pg_constraint WHERE contype = 'c'")).scalars())

    named = {
        c.name for table in Row.metadata.tables.values() for c in table.constraints if "check" in str(c.name)
    }
    assert len(named) >= 8
    assert named <= found


def test_migrating_again_changes_nothing(settings: Settings) -> None:
    assert settings.database.url
    assert upgrade(settings.database.url.get_secret_value()) == needed()


def insert(connection: Connection, **values: object) -> None:
    row = {"id": uuid4(), "state": "pending", "object_key": str(uuid4()), "created_at": "now"} | values
    columns = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO recordings ({columns}) VALUES ({places})"), row)


@pytest.fixture
def user(connection: Connection) -> int:
    statement = text("INSERT INTO users (name, token_sha256) VALUES (:name, :token) RETURNING id")
    return connection.execute(statement, {"name": str(uuid4()), "token": uuid4().bytes * 2}).scalar_one()


INDEX = "recordings_title_words_idx"
LEASE = {"lease_id": uuid4(), "lease_until": "now"}
REQUIRED = (  # as in the first release; migration 0001 contains them, too
    "size_bytes",
    "sha256",
    "wav_size_bytes",
    "wav_sha256",
    "samples",
    "duration_ms",
    "truncated",
    "sample_rate_hz",
    "channels",
    "bitrate_kbps",
    "source_codec",
    "source_sample_rate_hz",
    "source_channels",
    "source_bits",
)
READY = dict.fromkeys(REQUIRED, 1) | {
    "state": "ready",
    "ready_at": "now",
    "sha256": bytes(32),
    "wav_sha256": bytes(32),
    "truncated": False,
    "source_codec": "pcm_s16le",
}


def test_a_pending_and_a_ready_row_are_possible(connection: Connection, user: int) -> None:
    insert(connection, user_id=user, **LEASE)
    insert(connection, user_id=user, **READY)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("recordings_pending_is_leased_check", {}),
        ("recordings_state_known_check", {"state": "odd"}),
        ("recordings_owned_check", LEASE | {"user_id": None}),
        ("recordings_size_positive_check", READY | {"size_bytes": 0}),
        ("recordings_checksums_are_sha256_check", READY | {"sha256": b"short"}),
        *(("recordings_ready_is_complete_check", READY | {name: None}) for name in (*REQUIRED, "ready_at")),
        ("recordings_user_id_fkey", LEASE | {"user_id": 2**60}),
    ],
)
def test_postgres_refuses_the_impossible(
    connection: Connection, user: int, constraint: str, values: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        insert(connection, **({"user_id": user} | values))


def test_postgres_refuses_a_second_user_of_the_same_name(connection: Connection) -> None:
    statement = text("INSERT INTO users (name, token_sha256) VALUES ('twice', :token)")
    connection.execute(statement, {"token": bytes(32)})
    with pytest.raises(IntegrityError, match="users_name_key"):
        connection.execute(statement, {"token": b"x" * 32})


@pytest.fixture
def before_tags(settings: Settings) -> Iterator[tuple[str, Engine]]:
    """A database with the first release's schema and one recording."""
    assert settings.database.url
    url = as_owner(fresh_database(settings.database.url.get_secret_value(), revision="0001"))
    engine = open_engine(url)
    with engine.begin() as connection:
        user = text("INSERT INTO users (name, token_sha256) VALUES ('anna', :token) RETURNING id")
        insert(connection, user_id=connection.execute(user, {"token": bytes(32)}).scalar_one(), **READY)
    yield url, engine
    engine.dispose()


def test_a_recording_of_the_first_release_has_neither_tags_nor_peak_nor_warnings(
    before_tags: tuple[str, Engine],
) -> None:
    url, engine = before_tags

    upgrade(url)

    with Session(engine) as session:
        [recording] = recordings.newest(session, UserId(1), limit=9)
    assert recording.facts.audio.tags == Tags()
    assert recording.facts.audio.peak_dbfs is None
    assert recording.facts.audio.warnings is None


def test_a_migration_does_not_keep_others_waiting_behind_somebody_who_holds_a_table(
    before_tags: tuple[str, Engine],
) -> None:
    url, engine = before_tags
    with engine.connect() as somebody:
        somebody.execute(text("SELECT count(*) FROM recordings"))
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            upgrade(url, lock_timeout_s=0.1)

    assert upgrade(url) == needed()


@without_pgbouncer("it has fewer connections than this test holds")
def test_an_index_for_searches_is_made_while_others_write(before_tags: tuple[str, Engine]) -> None:
    url, engine = before_tags
    upgrade(url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX recordings_title_words_idx"))
    with ThreadPoolExecutor() as pool, engine.connect() as somebody:
        somebody.execute(text("UPDATE recordings SET title = 'Monday'"))
        migrations = [pool.submit(upgrade, url) for _ in range(2)]
        wait_until(lambda: index_state(engine) is False)
        with engine.begin() as other:
            insert(other, user_id=1, **LEASE)
        somebody.commit()
        assert [migration.result() for migration in migrations] == [needed()] * 2

    assert index_state(engine) is True


def test_an_index_that_was_left_incomplete_is_made_again(before_tags: tuple[str, Engine]) -> None:
    url, engine = before_tags
    upgrade(url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:n)"), {"n": INDEX}
        )

    upgrade(url)

    assert index_state(engine) is True


def index_state(engine: Engine) -> bool | None:
    """Whether the index for searches is complete; None if there is none."""
    with engine.connect() as connection:
        state = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
        return connection.execute(state, {"name": INDEX}).scalar()


def test_tags_of_a_later_release_are_passed_over(before_tags: tuple[str, Engine]) -> None:
    url, engine = before_tags
    upgrade(url)
    with Session(engine) as session:
        session.execute(text("""UPDATE recordings SET tags = '{"title": "t", "mood": "blue"}'"""))
        [recording] = recordings.newest(session, UserId(1), limit=9)
    assert recording.facts.audio.tags == Tags(title="t")
