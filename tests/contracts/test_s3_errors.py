"""Errors that no S3 server, including moto, produces on demand."""

import asyncio
from collections.abc import Callable

import pytest

from fakes.s3_server import answering, fictional, xml_error
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import ObjectHeaders, Part, UploadId
from pigwav.store.s3 import S3Store, open_s3

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


def test_a_completion_that_fails_inside_a_200_is_tried_again() -> None:
    """S3 sends status 200 before it joins the parts, and may then fail."""
    answers = [xml_error(200, "InternalError"), COMPLETED]
    with answering(lambda _: answers.pop(0)) as endpoint:
        open_s3(fictional(endpoint)).complete_multipart(KEY, UPLOAD, PARTS)
    assert answers == []


def test_a_completion_that_keeps_failing_inside_a_200_is_no_success() -> None:
    with answering(lambda _: xml_error(200, "InternalError")) as endpoint, pytest.raises(StoreUnavailable):
        open_s3(fictional(endpoint), attempts=2).complete_multipart(KEY, UPLOAD, PARTS)


CUT_OFF = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300\r\n\r\n"
CALLS: dict[str, Callable[[S3Store], object]] = {
    "put": lambda store: store.put(KEY, b"x", PLAIN),
    "begin_multipart": lambda store: store.begin_multipart(KEY, PLAIN),
    "put_part": lambda store: store.put_part(KEY, UPLOAD, 1, b"x"),
    "complete_multipart": lambda store: store.complete_multipart(KEY, UPLOAD, PARTS),
    "open_uploads": lambda store: [*store.open_uploads()],
    "parts": lambda store: store.parts(KEY, UPLOAD),
    "list": lambda store: [*store.list()],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_answer_that_is_cut_off_behind_its_head_is_no_success(call: Callable[[S3Store], object]) -> None:
    with answering(lambda _: CUT_OFF) as endpoint, pytest.raises(StoreUnavailable):
        call(open_s3(fictional(endpoint), attempts=1))


def test_a_completion_whose_answer_is_cut_off_behind_its_head_is_tried_again() -> None:
    answers = [CUT_OFF, COMPLETED]
    with answering(lambda _: answers.pop(0)) as endpoint:
        open_s3(fictional(endpoint)).complete_multipart(KEY, UPLOAD, PARTS)
    assert answers == []


def test_a_read_that_is_put_off_is_unavailable_not_missing() -> None:
    async def read(endpoint: str) -> list[bytes]:
        return [block async for block in open_s3(fictional(endpoint), attempts=1).read(KEY, 0, 1)]

    with answering(lambda _: xml_error(503, "SlowDown")) as endpoint, pytest.raises(StoreUnavailable):
        asyncio.run(read(endpoint))


def test_of_a_part_that_is_listed_twice_the_later_one_counts() -> None:
    """SeaweedFS lists a part twice if it was put twice."""
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


def test_a_source_that_vanishes_while_it_is_copied_is_missing() -> None:
    head = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\nETag: "e"\r\n\r\n'
    answers = [head, xml_error(404, "NoSuchKey")]
    with answering(lambda _: answers.pop(0)) as endpoint, pytest.raises(ObjectMissing):
        open_s3(fictional(endpoint)).copy(KEY, ObjectKey("q/a.mp3"))
