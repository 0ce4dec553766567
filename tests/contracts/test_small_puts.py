"""Small objects go through obstore; boto3 sends those again that it has not confirmed."""

import pytest

from fakes.s3_server import answering, fictional, xml_error
from pigwav.domain import ObjectKey
from pigwav.errors import StoreUnavailable
from pigwav.store.base import ObjectHeaders
from pigwav.store.s3 import S3Store, open_s3
from pigwav.store.small_puts import SMALL_BYTES

KEY = ObjectKey("recordings/1/2026/11/a.mp3")
BODY, MD5 = b"a", "0cc175b9c0f1b6a831c399e269772661"
OTHER_MD5 = "1" * 32


def stored(etag: str, *more: str) -> bytes:
    head = ("HTTP/1.1 200 OK", "Connection: close", "Content-Length: 0", f'ETag: "{etag}"', *more)
    return "\r\n".join((*head, "", "")).encode()


UNDER_KMS = stored(OTHER_MD5, "x-amz-server-side-encryption: aws:kms")


def put(store: S3Store, *, times: int = 1) -> None:
    for _ in range(times):
        store.put(KEY, BODY, ObjectHeaders())


def test_an_object_that_the_store_confirms_is_sent_once() -> None:
    answers = [stored(MD5)]
    with answering(lambda _: answers.pop(0)) as endpoint:
        put(open_s3(fictional(endpoint)))
    assert answers == []


@pytest.mark.parametrize(
    "first",
    [
        xml_error(503, "SlowDown"),
        xml_error(400, "RequestTimeout"),
        xml_error(403, "AccessDenied"),
        b"HELLO\r\n\r\n",
        b"",
        stored(OTHER_MD5),
        stored(""),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_confirmed_is_sent_again(first: bytes) -> None:
    answers = [first, stored(MD5)]
    with answering(lambda _: answers.pop(0)) as endpoint:
        put(open_s3(fictional(endpoint), attempts=1))
    assert answers == []


def test_a_store_that_confirms_other_bytes_twice_is_unavailable() -> None:
    with (
        answering(lambda _: stored(OTHER_MD5)) as endpoint,
        pytest.raises(StoreUnavailable, match="other bytes"),
    ):
        put(open_s3(fictional(endpoint)))


def test_under_kms_encryption_only_the_first_object_is_sent_twice() -> None:
    answers = [UNDER_KMS] * 4
    with answering(lambda _: answers.pop(0)) as endpoint:
        put(open_s3(fictional(endpoint)), times=3)
    assert answers == []


def test_an_object_that_may_take_longer_than_the_timeout_is_left_to_boto3() -> None:
    requests: list[bytes] = []

    def refuse(request: bytes) -> bytes:
        requests.append(request)
        return xml_error(403, "AccessDenied")

    with answering(refuse) as endpoint, pytest.raises(StoreUnavailable):
        open_s3(fictional(endpoint), attempts=1).put(KEY, bytes(SMALL_BYTES + 1), ObjectHeaders())
    [only] = requests
    assert b"content-md5" in only.lower()
