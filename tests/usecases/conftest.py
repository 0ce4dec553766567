"""Fixtures: use-cases with a real Postgres and a FaultyStore in memory."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from databases import fresh_database
from fakes.faulty_store import FaultyStore
from minio_server import MinioServer
from moto_server import MotoServer
from pigwav.devstack import StackAddress
from pigwav.settings import DatabaseSettings, Settings
from pigwav.store.memory import MemoryStore
from pigwav.wiring import Services, open_services


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture(scope="session")
def own_database(stack: StackAddress) -> DatabaseSettings:
    """A new database: these tests look at all rows."""
    return DatabaseSettings(url=SecretStr(fresh_database(stack.database_url)))


@pytest.fixture
def services(settings: Settings, own_database: DatabaseSettings, store: FaultyStore) -> Iterator[Services]:
    """Services with an empty database."""
    with open_services(settings.model_copy(update={"database": own_database}), store=store) as opened:
        with opened.sweep.database.begin() as db:
            db.connection().exec_driver_sql("DELETE FROM recordings; DELETE FROM users")
        yield opened


@pytest.fixture(params=["minio", "moto"])
def on_s3(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Services]:
    """Services with moto or MinIO and the minimal key. tests/e2e covers the embedded S3 server."""
    server: MinioServer | MotoServer = request.getfixturevalue(request.param)
    database = DatabaseSettings(url=SecretStr(fresh_database(settings.database.url.get_secret_value())))
    whole = settings.model_copy(update={"database": database, "store": server.provisioned()})
    with open_services(whole) as opened:
        yield opened
