"""What the service makes of errors that a real S3 server does not give on demand."""

import asyncio

import pytest

from fakes.s3_server import answering, fictional, xml_error
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import ObjectHeaders, Part, UploadId
from pigwav.store.s3 import open_s3

KEY = ObjectKey("recordings/1/2026/11/a.mp3")
PLAIN = ObjectHeaders()
UPLOAD = UploadId("u")
PARTS = [Part(1, '"0cc175b9c0f1b6a831c399e269772661"')]
DELETED = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
COMPLETED = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    b"<CompleteMultipartUploadResult><ETag>e-1</ETag></CompleteMultipartUploadResult>"
)
PASSING = [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable"), (400, "RequestTimeout")]
LASTING = [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (404, "NoSuchBucket"), (400, "InvalidRequest")]


@pytest.mark.parametrize(("status", "code"), PASSING)
def test_an_error_that_passes_is_waited_out(status: int, code: str) -> None:
    answers = [xml_error(status, code), xml_error(status, code), DELETED]
    with answering(lambda _: answers.pop(0)) as endpoint:
        open_s3(fictional(endpoint)).delete(KEY)
    assert answers == []


@pytest.mark.parametrize(("status", "code"), PASSING)
def test_an_error_that_stays_is_unavailable_after_as_many_attempts(status: int, code: str) -> None:
    requests: list[bytes] = []

    def refuse(request: bytes) -> bytes:
        requests.append(request)
        return xml_error(status, code)

    with answering(refuse) as endpoint, pytest.raises(StoreUnavailable, match=code):
        open_s3(fictional(endpoint), attempts=2).delete(KEY)
    assert len(requests) == 2


@pytest.mark.parametrize(("status", "code"), LASTING)
def test_a_refusal_is_unavailable_at_once_and_named(status: int, code: str) -> None:
    answers = [xml_error(status, code)]
    with answering(lambda _: answers.pop(0)) as endpoint, pytest.raises(StoreUnavailable, match=code):
        open_s3(fictional(endpoint), attempts=3).put(KEY, b"x", PLAIN)
    assert answers == []


def test_a_completion_that_fails_inside_a_200_is_tried_again() -> None:
    """S3 says 200 before it joins the parts, and may find only then that it cannot."""
    answers = [xml_error(200, "InternalError"), COMPLETED]
    with answering(lambda _: answers.pop(0)) as endpoint:
        open_s3(fictional(endpoint)).complete_multipart(KEY, UPLOAD, PARTS)
    assert answers == []


def test_a_completion_that_keeps_failing_inside_a_200_is_no_success() -> None:
    with answering(lambda _: xml_error(200, "InternalError")) as endpoint, pytest.raises(StoreUnavailable):
        open_s3(fictional(endpoint), attempts=2).complete_multipart(KEY, UPLOAD, PARTS)


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (403, "AccessDenied")])
def test_a_read_that_is_refused_is_unavailable_not_missing(status: int, code: str) -> None:
    async def read(endpoint: str) -> list[bytes]:
        return [block async for block in open_s3(fictional(endpoint), attempts=1).read(KEY, 0, 1)]

    with answering(lambda _: xml_error(status, code)) as endpoint, pytest.raises(StoreUnavailable):
        asyncio.run(read(endpoint))


def test_an_error_does_not_repeat_the_key_of_the_object() -> None:
    """It would be as good as a link."""
    with answering(lambda _: xml_error(403, "AccessDenied")) as endpoint:
        store = open_s3(fictional(endpoint), attempts=1)
        with pytest.raises(StoreUnavailable) as raised:
            store.put(KEY, b"x", PLAIN)
    assert KEY not in str(raised.value)


def test_of_a_part_that_is_listed_twice_the_later_one_counts() -> None:
    """As SeaweedFS lists what was put twice."""
    listed = ((2, 9, "new"), (2, 8, "old"), (1, 7, "old"), (1, 8, "new"), (3, 1, "only"))
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>2026-11-24T12:00:{second:02}Z</LastModified>"
        f"<ETag>{etag}</ETag><Size>5</Size></Part>"
        for number, second, etag in listed
    )
    body = f"<ListPartsResult><IsTruncated>false</IsTruncated>{entries}</ListPartsResult>"
    answer = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with answering(lambda _: answer.encode()) as endpoint:
        found = open_s3(fictional(endpoint)).parts(KEY, UPLOAD)
    assert found == [Part(1, "new"), Part(2, "new"), Part(3, "only")]


def test_a_copy_in_parts_that_fails_leaves_no_open_upload() -> None:
    """And says why it failed."""
    head = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\nETag: "e"\r\n\r\n'
    began = (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    )
    answers = [head, began, xml_error(403, "AccessDenied"), DELETED]
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request.partition(b" HTTP/")[0])
        return answers.pop(0)

    with answering(answer) as endpoint, pytest.raises(StoreUnavailable, match="AccessDenied"):
        open_s3(fictional(endpoint), copy_part_bytes=5).copy(KEY, ObjectKey("q/a.mp3"))
    assert asked[-1] == b"DELETE /pigwav/q/a.mp3?uploadId=u"


def test_a_source_that_vanishes_while_it_is_copied_is_missing() -> None:
    head = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\nETag: "e"\r\n\r\n'
    answers = [head, xml_error(404, "NoSuchKey")]
    with answering(lambda _: answers.pop(0)) as endpoint, pytest.raises(ObjectMissing):
        open_s3(fictional(endpoint)).copy(KEY, ObjectKey("q/a.mp3"))
