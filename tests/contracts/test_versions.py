"""Versioned and locked buckets: a deleted object leaves no bytes, or the store says why they stay."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from minio_server import MinioServer
from moto_server import MotoServer
from pigwav.devstack import stack_for
from pigwav.domain import ObjectKey
from pigwav.settings import StoreSettings
from pigwav.store.base import Kept, ObjectHeaders, ObjectStore, OldVersion
from pigwav.store.boto import open_client
from pigwav.store.connection import connection_to
from pigwav.store.memory import MemoryStore
from pigwav.store.retention import RULE, Retention, commands
from pigwav.store.s3 import S3Store, open_s3
from ports import PORTS

PLAIN = ObjectHeaders()
KEY, LONGER = ObjectKey("recordings/1/2026/11/a"), ObjectKey("recordings/1/2026/11/ab")
DELETE_VERSIONS = "s3:DeleteObjectVersion"


@pytest.fixture
def moto_bucket(moto: MotoServer) -> StoreSettings:
    settings = moto.provisioned()
    _versioned(moto.s3, settings)
    return settings


@pytest.fixture
def minio_bucket(minio: MinioServer) -> StoreSettings:
    settings = minio.provisioned()
    with closing(_root(minio, settings)) as root:
        _versioned(root, settings)
    return settings


@pytest.fixture(scope="module")
def embedded_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A server of its own: the session's bucket must not become versioned."""
    with stack_for(tmp_path_factory.mktemp("versioned") / "data", ports=PORTS) as stack:
        settings = stack.store_settings()
        with closing(open_client(connection_to(settings), attempts=1)) as client:
            _versioned(client, settings)
        yield settings


def _versioned(client: Any, settings: StoreSettings) -> None:
    client.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration={"Status": "Enabled"})


def _root(minio: MinioServer, settings: StoreSettings) -> Any:
    return open_client(connection_to(settings.with_keys_of(minio.operator)), attempts=1)


@pytest.fixture(params=["memory", "moto", "minio", pytest.param("embedded", marks=pytest.mark.long)])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """A store with a versioned bucket, and a key that may delete versions. On MinIO, provision's key may."""
    if request.param == "memory":
        yield MemoryStore(versioned=True)
        return
    settings = request.getfixturevalue(f"{request.param}_bucket")
    if request.param == "moto":
        request.getfixturevalue("moto").allow_more(settings, DELETE_VERSIONS)
    with closing(open_s3(settings, page_size=3)) as opened:
        yield opened


def old_versions(store: ObjectStore) -> list[OldVersion]:
    return sorted(store.old_versions("recordings/"), key=lambda found: (found.key, found.is_marker))


def put_again(store: ObjectStore, key: ObjectKey = KEY) -> None:
    for body in (b"first", b"second!"):
        store.put(key, body, PLAIN)


def test_what_is_replaced_and_hidden_is_listed_and_a_delete_removes_it(store: ObjectStore) -> None:
    put_again(store)
    assert old_versions(store) == [OldVersion(KEY, 5, is_marker=False)]

    assert store.delete(KEY, keep_versions=True) is None
    assert store.stat(KEY) is None
    assert [(found.size_bytes, found.is_marker) for found in old_versions(store)] in (
        [(5, False), (7, False), (0, True)],
        [(7, False), (5, False), (0, True)],
    )

    assert store.delete(KEY) is None
    assert (store.stat(KEY), old_versions(store)) == (None, [])


def test_a_delete_removes_all_versions_of_exactly_this_key(store: ObjectStore) -> None:
    put_again(store)
    put_again(store, LONGER)

    assert [store.delete(KEY), store.delete(KEY)] == [None, None]

    assert (store.stat(KEY), store.stat(LONGER).size_bytes) == (None, 7)
    assert old_versions(store) == [OldVersion(LONGER, 5, is_marker=False)]


def test_a_bucket_without_versions_keeps_nothing(s3_store: S3Store, key: ObjectKey) -> None:
    put_again(s3_store, key)

    assert s3_store.delete(key) is None
    assert [*s3_store.old_versions(key)] == []
    assert s3_store.retention() == Retention()


@pytest.mark.parametrize("action", [DELETE_VERSIONS, "s3:ListBucketVersions"])
def test_a_key_that_may_not_delete_versions_hides_the_object_and_says_so(
    moto: MotoServer, moto_bucket: StoreSettings, action: str
) -> None:
    moto.allow_more(moto_bucket, DELETE_VERSIONS)
    moto.deny(moto_bucket, action)
    store = open_s3(moto_bucket)
    put_again(store)

    assert store.delete(KEY) is Kept.NOT_PERMITTED

    kept = moto.s3.list_object_versions(Bucket=moto_bucket.bucket)
    assert (len(kept["Versions"]), len(kept["DeleteMarkers"])) == (2, 1)
    assert store.stat(KEY) is None


def test_a_locked_version_stays_hidden_and_the_lock_is_named(minio: MinioServer) -> None:
    settings = minio.unprovisioned()
    with closing(_root(minio, settings)) as root:
        root.create_bucket(Bucket=settings.bucket, ObjectLockEnabledForBucket=True)
        assert open_s3(settings.with_keys_of(minio.operator)).retention() == Retention(versioned=True)
        lock(root, settings.bucket)
    store = open_s3(settings.with_keys_of(minio.operator))
    store.put(KEY, b"first", PLAIN)

    assert store.delete(KEY) is Kept.LOCKED

    assert store.stat(KEY) is None
    assert [found.is_marker for found in old_versions(store)] == [False, True]
    assert store.retention().locked_for == "1 day (GOVERNANCE)"
    assert "1 day (GOVERNANCE)" in store.retention().warnings("b")[0]


def lock(client: Any, bucket: str | None) -> None:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


@dataclass(frozen=True)
class Rule:
    """A lifecycle rule that differs from RULE, and after how many days it removes recordings' versions."""

    differs: dict[str, Any]
    expires_after_days: int


@pytest.mark.parametrize(
    "rule",
    [
        Rule({}, 1),
        Rule({"Filter": {"Prefix": "record"}}, 1),
        Rule({"Filter": {"Prefix": "quarantine/"}}, 0),
        Rule({"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, 0),
        Rule({"Status": "Disabled"}, 0),
        Rule({"NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, 30),
    ],
)
def test_the_rule_that_a_versioned_bucket_needs(
    moto: MotoServer, moto_bucket: StoreSettings, rule: Rule
) -> None:
    store = open_s3(moto_bucket)
    assert store.retention() == Retention(versioned=True)
    assert commands(moto_bucket.bucket) in store.retention().warnings(moto_bucket.bucket)[0]
    rules = {"Rules": [RULE | rule.differs]}
    moto.s3.put_bucket_lifecycle_configuration(Bucket=moto_bucket.bucket, LifecycleConfiguration=rules)

    assert store.retention().expires_after_days == rule.expires_after_days
    assert bool(store.retention().warnings("b")) == (rule.expires_after_days == 0)


def test_minio_takes_the_printed_rule(minio: MinioServer, minio_bucket: StoreSettings) -> None:
    printed = commands(minio_bucket.bucket).partition("--lifecycle-configuration '")[2].partition("'")[0]
    with closing(_root(minio, minio_bucket)) as root:
        root.put_bucket_lifecycle_configuration(
            Bucket=minio_bucket.bucket, LifecycleConfiguration=json.loads(printed)
        )

    assert open_s3(minio_bucket).retention() == Retention(versioned=True, expires_after_days=1)


def test_a_key_that_may_not_ask_does_not_know(moto: MotoServer, moto_bucket: StoreSettings) -> None:
    """As a key that an earlier release provisioned."""
    moto.deny(moto_bucket, "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration")

    found = open_s3(moto_bucket).retention()

    assert (found.versioned, found.expires_after_days) == (None, None)
    assert found.warnings("b") == []
