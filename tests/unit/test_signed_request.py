"""The supervisor's own requests to S3 are those of a driver: a real server accepts them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pigwav.devstack import StackAddress
from pigwav.devstack.address import REGION
from pigwav.devstack.signed_request import SignedRequest
from pigwav.domain import ObjectKey
from pigwav.store.s3 import S3Store, open_s3
from ports import reserved_ports


@pytest.fixture
def store(stack: StackAddress) -> Iterator[S3Store]:
    opened = open_s3(stack.store_settings())
    yield opened
    opened.close()


@pytest.fixture
def put(stack: StackAddress) -> SignedRequest:
    return SignedRequest(
        stack.s3_endpoint,
        REGION,
        stack.s3_access_key,
        stack.s3_secret_key,
        "PUT",
        f"/{stack.s3_bucket}/signed request/ж+1.txt",
        b"body",
    )


def test_what_it_puts_is_there_and_what_it_deletes_is_not(put: SignedRequest, store: S3Store) -> None:
    key = ObjectKey("signed request/ж+1.txt")
    assert put.succeeds(timeout_s=10)
    assert b"".join(store.read_blocking(key, 0, 4)) == b"body"
    assert replace(put, method="DELETE", body=b"").succeeds(timeout_s=10)
    assert store.stat(key) is None


def test_another_key_and_another_bucket_are_refused(put: SignedRequest) -> None:
    assert not replace(put, secret_key="x").succeeds(timeout_s=10)
    assert not replace(put, path="/another/key").succeeds(timeout_s=10)


def test_a_server_that_is_not_there_refuses(put: SignedRequest) -> None:
    with reserved_ports(1) as [port]:
        assert not replace(put, endpoint=f"http://127.0.0.1:{port}").succeeds(timeout_s=10)
