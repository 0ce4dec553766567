"""Errors of S3 servers whose disk is full."""

from collections.abc import Callable

import pytest

from fakes.s3_server import answering, fictional, xml_error
from pigwav.domain import ObjectKey
from pigwav.errors import DatabaseUnavailable, StorageFull, StoreUnavailable
from pigwav.store.base import ObjectHeaders, Part, UploadId
from pigwav.store.s3 import S3Store, open_s3

KEY = ObjectKey("recordings/1/2026/11/a.mp3")
UPLOAD = UploadId("u")
FULL = [
    (507, "XMinioStorageFull"),
    (507, "InsufficientStorage"),
    (400, "XMinioAdminBucketQuotaExceeded"),
    (403, "QuotaExceeded"),
]
NOT_FULL = [(503, "XMinioBackendDown"), (503, "SlowDown"), (400, "EntityTooLarge")]


def put(store: S3Store) -> None:
    store.put(KEY, b"x", ObjectHeaders())


WRITES: dict[str, Callable[[S3Store], object]] = {
    "begin_multipart": lambda store: store.begin_multipart(KEY, ObjectHeaders()),
    "put_part": lambda store: store.put_part(KEY, UPLOAD, 1, b"x"),
    "complete_multipart": lambda store: store.complete_multipart(KEY, UPLOAD, [Part(1, f'"{"0" * 32}"')]),
}


def assert_full_at_once(
    write: Callable[[S3Store], object], status: int, code: str, *, requests: int = 1
) -> None:
    answers = [xml_error(status, code)] * requests
    with answering(lambda _: answers.pop(0)) as endpoint, pytest.raises(StorageFull, match=code):
        write(open_s3(fictional(endpoint), attempts=3))
    assert answers == []


@pytest.mark.parametrize(("status", "code"), FULL)
def test_a_server_that_is_full_is_understood_at_once(status: int, code: str) -> None:
    assert_full_at_once(put, status, code, requests=2)  # one of each driver


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_may_find_the_server_full(write: Callable[[S3Store], object]) -> None:
    assert_full_at_once(write, 507, "XMinioStorageFull")


@pytest.mark.parametrize(("status", "code"), NOT_FULL)
def test_other_troubles_are_not_taken_for_it(status: int, code: str) -> None:
    with answering(lambda _: xml_error(status, code)) as endpoint, pytest.raises(StoreUnavailable) as raised:
        put(open_s3(fictional(endpoint), attempts=1))
    assert not isinstance(raised.value, StorageFull)


def test_whoever_waits_for_database_or_store_waits_for_a_full_one_too() -> None:
    """Clean-up, sweeps and leases retry as after any other failure."""
    assert issubclass(StorageFull, StoreUnavailable)
    assert issubclass(StorageFull, DatabaseUnavailable)
