"""A recording that the service has stored on a real MinIO, for tests with S3 tools."""

from collections.abc import Iterator

import httpx2
import pytest
from pydantic import SecretStr

from accounts import register
from databases import fresh_database
from factories import wav
from minio_server import MinioServer
from pigwav.devstack import StackAddress
from pigwav.settings import DatabaseSettings, Settings
from s3tools.stored import TITLE, Stored
from serving import served


@pytest.fixture(scope="session")
def stored(stack: StackAddress, minio: MinioServer) -> Iterator[Stored]:
    store = minio.provisioned()
    database = DatabaseSettings(url=SecretStr(fresh_database(stack.database_url)))
    with (
        served(Settings(database=database, store=store)) as api,
        httpx2.Client(base_url=api.url, timeout=30) as http,
    ):
        account = register(http)
        recording = account.upload_form(wav(seconds=1), filename=f"{TITLE}.wav").json()
        year, month = recording["created_at"][:4], recording["created_at"][5:7]
        key = f"recordings/{account.id}/{year}/{month}/{recording['id']}.mp3"
        yield Stored(minio.endpoint, store.bucket, key, recording)
