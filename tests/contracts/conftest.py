"""The stores of the contract suite: memory, the embedded S3 server, moto, and MinIO or another configured server."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from minio_server import MinioServer
from moto_server import MotoServer
from pigwav.domain import ObjectKey
from pigwav.settings import StoreSettings
from pigwav.store.base import PART_BYTES, ObjectStore
from pigwav.store.memory import MemoryStore
from pigwav.store.s3 import S3Store, open_s3

GIVEN = ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Streaming uploads run on moto only with --long. The contract that they rely on always runs on moto."""
    for item in items:
        if item.path.name == "test_streaming_upload.py" and "moto" in item.name:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def given_settings(request: pytest.FixtureRequest) -> StoreSettings:
    """PIGWAV_TEST_S3_* if all are set, otherwise a real MinIO with the key that `pigwav provision` makes."""
    given = {name.lower(): os.environ.get(f"PIGWAV_TEST_S3_{name}") for name in GIVEN}
    if not all(given.values()):
        minio: MinioServer = request.getfixturevalue("minio")
        return minio.provisioned()
    return StoreSettings(region=os.environ.get("PIGWAV_TEST_S3_REGION", "us-east-1"), **given)


@pytest.fixture(scope="module")
def moto_settings(moto: MotoServer) -> StoreSettings:
    return moto.provisioned()


@pytest.fixture(scope="session")
def opened_embedded(s3_settings: StoreSettings) -> Iterator[S3Store]:
    yield from _opened(s3_settings)


@pytest.fixture(scope="session")
def opened_given(given_settings: StoreSettings) -> Iterator[S3Store]:
    yield from _opened(given_settings)


@pytest.fixture(scope="module")
def opened_moto(moto_settings: StoreSettings) -> Iterator[S3Store]:
    yield from _opened(moto_settings)


def _opened(settings: StoreSettings) -> Iterator[S3Store]:
    store = open_s3(settings, page_size=3)  # small, so that every list needs several pages
    yield store
    store.close()


@pytest.fixture(params=["memory", "embedded", "moto", "given"])
def store(request: pytest.FixtureRequest, prefix: str) -> Iterator[ObjectStore]:
    """Each kind of store. Removes what a test leaves under its prefix."""
    kind = request.param
    _expect_known_difference(request, kind)
    opened: ObjectStore = MemoryStore() if kind == "memory" else request.getfixturevalue(f"opened_{kind}")
    yield opened
    _clean(opened, prefix)


@pytest.fixture(params=["embedded", "moto", "given"])
def s3(request: pytest.FixtureRequest) -> StoreSettings:
    """The settings of an S3 server with a bucket, for tests that need real S3."""
    _expect_known_difference(request, request.param)
    name = {"embedded": "s3_settings", "moto": "moto_settings", "given": "given_settings"}[request.param]
    settings: StoreSettings = request.getfixturevalue(name)
    return settings


def _expect_known_difference(request: pytest.FixtureRequest, kind: str) -> None:
    """A test with the mark `moto_differs` must fail on moto. If it passes, remove the mark."""
    if kind == "moto" and (mark := request.node.get_closest_marker("moto_differs")):
        request.applymarker(
            pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"moto: {mark.args[0]}")
        )


@pytest.fixture
def s3_store(s3: StoreSettings, prefix: str) -> Iterator[S3Store]:
    store = open_s3(s3)
    yield store
    _clean(store, prefix)
    store.close()


@pytest.fixture
def opened_in_small_parts(s3: StoreSettings, s3_store: S3Store) -> Iterator[S3Store]:
    """The same store with `copy_part_bytes` of one part, so that it copies longer objects in parts."""
    store = open_s3(s3, copy_part_bytes=PART_BYTES)
    yield store
    store.close()


@pytest.fixture
def s3_client(s3: StoreSettings) -> Iterator[Any]:
    """A boto3 client, to inspect the stored objects."""
    assert s3.secret_key
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key.get_secret_value(),
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def _clean(store: ObjectStore, prefix: str) -> None:
    for found in [*store.list(prefix)]:
        store.delete(found.key)
    for upload in [*store.open_uploads()]:
        if upload.key.startswith(prefix):
            store.abort_multipart(upload.key, upload.upload_id)


@pytest.fixture
def prefix() -> str:
    """A unique key prefix for the test, because the bucket is shared."""
    return f"recordings/{uuid.uuid4()}/"


@pytest.fixture
def key(prefix: str) -> ObjectKey:
    return ObjectKey(f"{prefix}a.mp3")
