"""AWS's refusals, on moto: a missing permission, parts that are too small, a failed precondition."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

import pytest
from pydantic import SecretStr

from moto_server import REQUEST_LOGGER, MotoServer
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StorageFull, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store.base import ObjectHeaders, Part, UploadId
from pigwav.store.boto import open_client, translate_errors
from pigwav.store.connection import connection_to
from pigwav.store.s3 import S3Store, open_s3

PLAIN = ObjectHeaders()
KEY = ObjectKey("recordings/1/2026/11/a.mp3")
COPY = ObjectKey("quarantine/a.mp3")
ETAG = '"0cc175b9c0f1b6a831c399e269772661"'


@pytest.fixture
def settings(moto: MotoServer) -> StoreSettings:
    """A new bucket, which the test may damage."""
    return moto.provisioned()


@pytest.fixture
def store(settings: StoreSettings) -> S3Store:
    return open_s3(settings, attempts=3)


class RefusedAtOnce(Protocol):
    def __call__(self, code: str, *, requests: int = 1) -> AbstractContextManager[None]: ...


OF_EACH_DRIVER = 2
"""Requests for a small put that is refused."""


@pytest.fixture
def refused_at_once(caplog: pytest.LogCaptureFixture) -> RefusedAtOnce:
    """`with refused_at_once(code)`: the block makes `requests`, gets this code, and raises StoreUnavailable."""
    caplog.set_level(logging.INFO, REQUEST_LOGGER)

    @contextmanager
    def refused(code: str, *, requests: int = 1) -> Iterator[None]:
        caplog.clear()
        with pytest.raises(StoreUnavailable, match=code):
            yield
        assert [record.name for record in caplog.records] == [REQUEST_LOGGER] * requests

    return refused


def read(store: S3Store, key: ObjectKey) -> bytes:
    async def collect() -> bytes:
        return b"".join([block async for block in store.read(key, 0, 1)])

    return asyncio.run(collect())


@dataclass(frozen=True)
class Call:
    """A call of the store, and the IAM action that it needs."""

    name: str
    action: str
    make: Callable[[S3Store, UploadId], object]


CALLS = [
    Call("put", "s3:PutObject", lambda store, _: store.put(KEY, b"x", PLAIN)),
    Call("begin_multipart", "s3:PutObject", lambda store, _: store.begin_multipart(KEY, PLAIN)),
    Call("put_part", "s3:PutObject", lambda store, upload: store.put_part(KEY, upload, 1, b"x")),
    Call(
        "complete_multipart",
        "s3:PutObject",
        lambda store, upload: store.complete_multipart(KEY, upload, [Part(1, ETAG)]),
    ),
    Call(
        "abort_multipart", "s3:AbortMultipartUpload", lambda store, upload: store.abort_multipart(KEY, upload)
    ),
    Call("parts", "s3:ListMultipartUploadParts", lambda store, upload: store.parts(KEY, upload)),
    Call("open_uploads", "s3:ListBucketMultipartUploads", lambda store, _: [*store.open_uploads(KEY)]),
    Call("copy", "s3:PutObject", lambda store, _: store.copy(KEY, COPY)),
    Call("copy from", "s3:GetObject", lambda store, _: store.copy(KEY, COPY)),
    Call("delete", "s3:DeleteObject", lambda store, _: store.delete(KEY)),
    Call("stat", "s3:GetObject", lambda store, _: store.stat(KEY)),
    Call("list", "s3:ListBucket", lambda store, _: [*store.list()]),
    Call("old_versions", "s3:ListBucketVersions", lambda store, _: [*store.old_versions()]),
    Call("check", "s3:HeadBucket", lambda store, _: store.check()),
    Call("read", "s3:GetObject", lambda store, _: read(store, KEY)),
]


class TestAKeyWithoutARight:
    """The other contract tests pass with exactly the permissions that `pigwav provision` prints; each one is needed."""

    @pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
    def test_its_call_is_unavailable_and_all_is_as_it_was(
        self, moto: MotoServer, settings: StoreSettings, store: S3Store, call: Call
    ) -> None:
        store.put(KEY, b"a", PLAIN)
        upload = store.begin_multipart(KEY, PLAIN)
        store.put_part(KEY, upload, 1, b"a")
        moto.deny(settings, call.action)

        with pytest.raises(StoreUnavailable, match=r"403|AccessDenied") as raised:
            call.make(store, upload)

        assert not isinstance(raised.value, ObjectMissing | StorageFull)
        everything = {"Bucket": settings.bucket}
        objects = moto.s3.list_objects_v2(**everything)["Contents"]
        uploads = moto.s3.list_multipart_uploads(**everything)["Uploads"]
        parts = moto.s3.list_parts(**everything, Key=KEY, UploadId=upload)["Parts"]
        assert [found["Key"] for found in objects] == [KEY]
        assert [found["UploadId"] for found in uploads] == [upload]
        assert [found["ETag"] for found in parts] == [ETAG]

    def test_its_error_does_not_repeat_the_key_of_the_object(
        self, moto: MotoServer, settings: StoreSettings, store: S3Store
    ) -> None:
        """The object's key is enough to make a link."""
        moto.deny(settings, "s3:PutObject")

        with pytest.raises(StoreUnavailable, match="AccessDenied") as raised:
            store.put(KEY, b"x", PLAIN)

        assert KEY not in str(raised.value)


class TestRefusals:
    """Errors contain AWS's code. The calls are not repeated, because they would be refused again."""

    def test_a_right_that_the_key_lacks(
        self, moto: MotoServer, settings: StoreSettings, store: S3Store, refused_at_once: RefusedAtOnce
    ) -> None:
        moto.deny(settings, "s3:PutObject")

        with refused_at_once("AccessDenied", requests=OF_EACH_DRIVER):
            store.put(KEY, b"x", PLAIN)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"access_key": "AKIANOBODYS"}, "InvalidAccessKeyId"),
            ({"secret_key": SecretStr("wrong")}, "SignatureDoesNotMatch"),
        ],
        ids=["access key", "secret key"],
    )
    def test_a_key_that_is_unknown(
        self, settings: StoreSettings, refused_at_once: RefusedAtOnce, changed: dict[str, object], code: str
    ) -> None:
        store = open_s3(settings.model_copy(update=changed), attempts=3)

        with refused_at_once(code, requests=OF_EACH_DRIVER):
            store.put(KEY, b"x", PLAIN)

    def test_a_bucket_that_is_gone(
        self, moto: MotoServer, settings: StoreSettings, store: S3Store, refused_at_once: RefusedAtOnce
    ) -> None:
        moto.s3.delete_bucket(Bucket=settings.bucket)

        with refused_at_once("NoSuchBucket", requests=OF_EACH_DRIVER):
            store.put(KEY, b"x", PLAIN)

    def test_a_part_number_above_10_000(self, store: S3Store, refused_at_once: RefusedAtOnce) -> None:
        upload = store.begin_multipart(KEY, PLAIN)

        with refused_at_once("InvalidArgument.*10000"):
            store.put_part(KEY, upload, 10_001, b"x")

        assert store.parts(KEY, upload) == []

    def test_a_part_below_5_mib_that_is_not_the_last(
        self, store: S3Store, refused_at_once: RefusedAtOnce
    ) -> None:
        upload = store.begin_multipart(KEY, PLAIN)
        parts = [store.put_part(KEY, upload, number, b"x") for number in (1, 2)]

        with refused_at_once("EntityTooSmall"):
            store.complete_multipart(KEY, upload, parts)

        assert store.parts(KEY, upload) == parts, "the upload stays open"

    def test_a_part_other_than_the_one_that_was_sent(
        self, store: S3Store, refused_at_once: RefusedAtOnce
    ) -> None:
        upload = store.begin_multipart(KEY, PLAIN)
        store.put_part(KEY, upload, 1, b"x")

        with refused_at_once("InvalidPart"):
            store.complete_multipart(KEY, upload, [Part(1, ETAG)])

        assert store.stat(KEY) is None

    def test_a_write_whose_condition_does_not_hold(
        self, settings: StoreSettings, store: S3Store, refused_at_once: RefusedAtOnce
    ) -> None:
        """`If-None-Match: *` writes only if the object does not exist."""
        store.put(KEY, b"first", PLAIN)

        with (
            closing(open_client(connection_to(settings), attempts=3)) as client,
            refused_at_once("PreconditionFailed"),
            translate_errors(),
        ):
            client.put_object(Bucket=settings.bucket, Key=KEY, Body=b"second", IfNoneMatch="*")

        assert store.stat(KEY).size_bytes == len(b"first")


def test_a_copy_in_parts_that_fails_leaves_no_open_upload(settings: StoreSettings, store: S3Store) -> None:
    """The error contains the reason: AWS refuses parts of 5 bytes."""
    store.put(KEY, b"ten bytes.", PLAIN)

    with pytest.raises(StoreUnavailable, match="EntityTooSmall"):
        open_s3(settings, copy_part_bytes=5).copy(KEY, COPY)

    assert store.stat(COPY) is None
    assert [*store.open_uploads()] == []


def test_an_object_in_an_archive_is_unavailable_not_missing(
    moto: MotoServer, settings: StoreSettings, store: S3Store
) -> None:
    """A lifecycle rule of the bucket may move an object to an archive."""
    moto.s3.put_object(Bucket=settings.bucket, Key=KEY, Body=b"a", StorageClass="GLACIER")

    with pytest.raises(StoreUnavailable) as raised:
        read(store, KEY)

    assert not isinstance(raised.value, ObjectMissing)
    assert store.stat(KEY).size_bytes == 1
