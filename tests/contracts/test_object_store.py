"""The contract of object stores (store/base.py), tested on each kind."""

import asyncio
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.s3_server import answering, fictional, read_message, serving
from pigwav.domain import ObjectKey
from pigwav.errors import NotConfigured, ObjectMissing, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store.base import (
    PART_BYTES,
    ObjectHeaders,
    ObjectStore,
    OpenUpload,
    Part,
    UploadId,
    metadata_text,
)
from pigwav.store.memory import MemoryStore
from pigwav.store.s3 import S3Store, open_s3

PLAIN = ObjectHeaders()
BODY = os.urandom(300_000)
PART_1, PART_2, PART_3 = os.urandom(PART_BYTES), os.urandom(PART_BYTES + 3), os.urandom(17)


def read(store: ObjectStore, key: ObjectKey, start: int, stop: int) -> bytes:
    async def collect() -> bytes:
        return b"".join([block async for block in store.read(key, start, stop)])

    return asyncio.run(collect())


def read_blocking(store: ObjectStore, key: ObjectKey, start: int, stop: int) -> bytes:
    return b"".join(store.read_blocking(key, start, stop))


Read = Callable[[ObjectStore, ObjectKey, int, int], bytes]
both_ways = pytest.mark.parametrize("read", [read, read_blocking], ids=["async", "blocking"])


def keys(store: ObjectStore, prefix: str) -> list[str]:
    return [found.key.removeprefix(prefix) for found in store.list(prefix)]


class TestObjects:
    @both_ways
    def test_what_was_put_is_read(self, store: ObjectStore, key: ObjectKey, read: Read) -> None:
        store.put(key, BODY, PLAIN)
        assert read(store, key, 0, len(BODY)) == BODY

    @both_ways
    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 1), (299_999, 300_000), (1, 299_999), (65_535, 65_537), (0, 262_144), (262_144, 300_000)],
    )
    def test_a_range_is_exactly_its_bytes(
        self, store: ObjectStore, key: ObjectKey, start: int, stop: int, read: Read
    ) -> None:
        store.put(key, BODY, PLAIN)
        assert read(store, key, start, stop) == BODY[start:stop]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(edges=st.lists(st.integers(0, len(BODY)), min_size=2, max_size=2, unique=True))
    def test_any_range_is_exactly_its_bytes(
        self, store: ObjectStore, key: ObjectKey, edges: list[int]
    ) -> None:
        start, stop = sorted(edges)
        if store.stat(key) is None:
            store.put(key, BODY, PLAIN)
        assert read(store, key, start, stop) == BODY[start:stop]

    @pytest.mark.parametrize("way", ["async", "blocking"])
    def test_blocks_are_never_empty_and_at_most_a_mebibyte(
        self, store: ObjectStore, key: ObjectKey, way: str
    ) -> None:
        async def sizes() -> list[int]:
            return [len(block) async for block in store.read(key, 0, len(PART_1))]

        store.put(key, PART_1, PLAIN)
        if way == "async":
            found = asyncio.run(sizes())
        else:
            found = [len(block) for block in store.read_blocking(key, 0, len(PART_1))]
        assert len(found) > 1
        assert all(0 < size <= 1024 * 1024 for size in found)

    @both_ways
    def test_reading_a_missing_key_is_object_missing(
        self, store: ObjectStore, key: ObjectKey, read: Read
    ) -> None:
        with pytest.raises(ObjectMissing):
            read(store, key, 0, 1)

    @both_ways
    @pytest.mark.parametrize("start", [0, len(BODY) - 1, len(BODY)])
    def test_reading_past_the_end_never_passes_for_complete(
        self, store: ObjectStore, key: ObjectKey, start: int, read: Read
    ) -> None:
        store.put(key, BODY, PLAIN)
        with pytest.raises(StoreUnavailable):
            read(store, key, start, len(BODY) + 1)

    def test_the_last_put_wins(self, store: ObjectStore, key: ObjectKey) -> None:
        store.put(key, b"first", PLAIN)
        store.put(key, b"second", PLAIN)
        assert read(store, key, 0, 6) == b"second"
        assert store.stat(key).size_bytes == 6

    def test_stat_tells_key_size_and_time(self, store: ObjectStore, key: ObjectKey) -> None:
        store.put(key, BODY, PLAIN)
        found = store.stat(key)
        assert (found.key, found.size_bytes) == (key, len(BODY))
        assert abs(found.modified_at.timestamp() - time.time()) < 3600

    def test_stat_of_a_missing_key_is_none(self, store: ObjectStore, key: ObjectKey) -> None:
        assert store.stat(key) is None

    def test_a_deleted_object_is_gone(self, store: ObjectStore, key: ObjectKey) -> None:
        store.put(key, BODY, PLAIN)
        store.delete(key)
        assert store.stat(key) is None
        with pytest.raises(ObjectMissing):
            read(store, key, 0, 1)

    def test_deleting_a_missing_key_is_no_error(self, store: ObjectStore, key: ObjectKey) -> None:
        store.delete(key)
        store.delete(key)

    def test_check_passes_where_the_bucket_answers(self, store: ObjectStore) -> None:
        store.check()


class TestLists:
    def test_a_list_walks_over_its_pages_in_key_order(self, store: ObjectStore, prefix: str) -> None:
        names = [
            f"{user}/2026/{month}/{n}.mp3" for user in (1, 10, 2) for month in ("01", "12") for n in "ab"
        ]
        for name in reversed(names):
            store.put(ObjectKey(prefix + name), name.encode(), PLAIN)
        assert keys(store, prefix) == names
        assert [found.size_bytes for found in store.list(prefix)] == [len(name) for name in names]

    def test_a_list_keeps_to_its_prefix(self, store: ObjectStore, prefix: str) -> None:
        for name in ("1/a", "10/a", "2/a"):
            store.put(ObjectKey(prefix + name), b"x", PLAIN)
        assert keys(store, f"{prefix}1/") == ["a"]
        assert ObjectKey(f"{prefix}2/a") in {found.key for found in store.list()}

    def test_an_empty_prefix_lists_nothing(self, store: ObjectStore, prefix: str) -> None:
        assert keys(store, prefix) == []

    def test_more_than_a_thousand_keys_are_all_listed(self, prefix: str) -> None:
        store = MemoryStore()
        for n in range(1001):
            store.put(ObjectKey(f"{prefix}{n:04}"), b"x", PLAIN)
        assert keys(store, prefix) == [f"{n:04}" for n in range(1001)]


class TestMultipart:
    def test_parts_may_come_in_any_order_with_the_first_last(
        self, store: ObjectStore, key: ObjectKey
    ) -> None:
        upload = store.begin_multipart(key, PLAIN)
        parts = [store.put_part(key, upload, n, body) for n, body in ((3, PART_3), (2, PART_2), (1, PART_1))]
        assert store.stat(key) is None
        store.complete_multipart(key, upload, parts)
        whole = PART_1 + PART_2 + PART_3
        assert store.stat(key).size_bytes == len(whole)
        assert hashlib.sha256(read(store, key, 0, len(whole))).digest() == hashlib.sha256(whole).digest()
        assert [*store.open_uploads(key)] == []

    def test_a_part_put_twice_is_there_once_and_the_last_wins(
        self, store: ObjectStore, key: ObjectKey
    ) -> None:
        upload = store.begin_multipart(key, PLAIN)
        store.put_part(key, upload, 1, b"no")
        store.complete_multipart(key, upload, [store.put_part(key, upload, 1, b"yes")])
        assert read(store, key, 0, 3) == b"yes"
        assert store.stat(key).size_bytes == 3

    def test_an_upload_may_be_completed_twice(self, store: ObjectStore, key: ObjectKey) -> None:
        upload = store.begin_multipart(key, PLAIN)
        parts = [store.put_part(key, upload, 2, PART_3), store.put_part(key, upload, 1, PART_1)]
        store.complete_multipart(key, upload, parts)
        store.complete_multipart(key, upload, parts)
        assert store.stat(key).size_bytes == len(PART_1) + len(PART_3)

    def test_a_short_part_before_the_last_is_refused(self, store: ObjectStore, key: ObjectKey) -> None:
        upload = store.begin_multipart(key, PLAIN)
        parts = [store.put_part(key, upload, n, b"short") for n in (1, 2)]
        with pytest.raises(StoreUnavailable):
            store.complete_multipart(key, upload, parts)
        assert store.stat(key) is None

    @pytest.mark.parametrize("number", [0, 10_001])
    def test_a_part_number_outside_1_to_10_000_is_refused(
        self, store: ObjectStore, key: ObjectKey, number: int
    ) -> None:
        upload = store.begin_multipart(key, PLAIN)
        with pytest.raises(StoreUnavailable):
            store.put_part(key, upload, number, b"x")
        store.put_part(key, upload, 10_000, b"x")
        assert [part.number for part in store.parts(key, upload)] == [10_000]

    def test_a_part_that_was_never_put_cannot_be_completed(self, store: ObjectStore, key: ObjectKey) -> None:
        upload = store.begin_multipart(key, PLAIN)
        with pytest.raises(StoreUnavailable):
            store.complete_multipart(key, upload, [Part(1, '"0cc175b9c0f1b6a831c399e269772661"')])
        assert store.stat(key) is None

    def test_an_aborted_upload_leaves_nothing_and_may_be_aborted_again(
        self, store: ObjectStore, key: ObjectKey
    ) -> None:
        upload = store.begin_multipart(key, PLAIN)
        part = store.put_part(key, upload, 1, b"x")
        store.abort_multipart(key, upload)
        store.abort_multipart(key, upload)
        assert [*store.open_uploads(key)] == []
        assert store.stat(key) is None
        with pytest.raises(StoreUnavailable):
            store.put_part(key, upload, 2, b"x")
        with pytest.raises(StoreUnavailable):
            store.complete_multipart(key, upload, [part])

    def test_aborting_a_completed_upload_leaves_its_object(self, store: ObjectStore, key: ObjectKey) -> None:
        upload = store.begin_multipart(key, PLAIN)
        store.complete_multipart(key, upload, [store.put_part(key, upload, 1, b"kept")])
        store.abort_multipart(key, upload)
        assert read(store, key, 0, 4) == b"kept"

    def test_open_uploads_are_those_of_exactly_this_key(self, store: ObjectStore, prefix: str) -> None:
        short, long = ObjectKey(f"{prefix}a"), ObjectKey(f"{prefix}ab")
        ours = {OpenUpload(short, store.begin_multipart(short, PLAIN)) for _ in range(5)}
        other = OpenUpload(long, store.begin_multipart(long, PLAIN))
        assert {*store.open_uploads(short)} == ours
        assert [*store.open_uploads(long)] == [other]
        assert [*store.open_uploads(ObjectKey(prefix))] == []
        assert {found for found in store.open_uploads() if found.key.startswith(prefix)} == {*ours, other}

    @pytest.mark.moto_differs("it takes the marker of a page, a part's number, for a count of parts")
    def test_the_parts_of_an_open_upload_are_told_by_number_each_once(
        self, store: ObjectStore, key: ObjectKey
    ) -> None:
        upload = store.begin_multipart(key, PLAIN)
        assert store.parts(key, upload) == []
        # More than one page of parts, and one part twice.
        bodies = ((7, b"g"), (2, PART_2), (5, PART_3), (3, PART_1), (2, PART_2))
        sent = {number: store.put_part(key, upload, number, body) for number, body in bodies}
        assert store.parts(key, upload) == [sent[number] for number in (2, 3, 5, 7)]

    def test_parts_with_gaps_in_their_numbers_become_an_object(
        self, store: ObjectStore, key: ObjectKey
    ) -> None:
        """A dead upload lacks part 1, which is sent last."""
        upload = store.begin_multipart(key, PLAIN)
        for number, body in ((5, PART_3), (3, PART_2), (2, PART_1)):
            store.put_part(key, upload, number, body)
        store.complete_multipart(key, upload, store.parts(key, upload))
        whole = PART_1 + PART_2 + PART_3
        assert read(store, key, 0, len(whole)) == whole

    @pytest.mark.parametrize("end", ["complete", "abort"])
    def test_an_upload_that_ended_holds_no_parts(self, store: ObjectStore, key: ObjectKey, end: str) -> None:
        upload = store.begin_multipart(key, PLAIN)
        part = store.put_part(key, upload, 1, b"x")
        if end == "complete":
            store.complete_multipart(key, upload, [part])
        else:
            store.abort_multipart(key, upload)
        assert store.parts(key, upload) == []

    @pytest.mark.moto_differs("it says 2010-11-10 of each")
    def test_an_open_upload_tells_when_it_was_begun(self, store: ObjectStore, key: ObjectKey) -> None:
        store.begin_multipart(key, PLAIN)
        [upload] = store.open_uploads(key)
        assert upload.begun_at
        assert abs(upload.begun_at.timestamp() - time.time()) < 3600


class TestCopies:
    def test_a_copy_has_the_same_bytes_and_the_source_stays(
        self, store: ObjectStore, prefix: str, key: ObjectKey
    ) -> None:
        store.put(key, BODY, PLAIN)
        target = ObjectKey(f"{prefix}copies/a голос+?%20.mp3")
        store.copy(key, target)
        assert read(store, target, 0, len(BODY)) == BODY
        assert store.stat(target).size_bytes == len(BODY)
        assert read(store, key, 0, len(BODY)) == BODY

    def test_a_copy_of_nothing_is_empty(self, store: ObjectStore, prefix: str, key: ObjectKey) -> None:
        store.put(key, b"", PLAIN)
        target = ObjectKey(f"{prefix}b.mp3")
        store.copy(key, target)
        assert store.stat(target).size_bytes == 0

    def test_a_copy_replaces_what_was_there(self, store: ObjectStore, prefix: str, key: ObjectKey) -> None:
        target = ObjectKey(f"{prefix}b.mp3")
        store.put(target, b"before", PLAIN)
        store.put(key, b"after", PLAIN)
        store.copy(key, target)
        store.copy(key, target)
        assert read(store, target, 0, 5) == b"after"
        assert store.stat(target).size_bytes == 5

    def test_a_missing_object_cannot_be_copied(self, store: ObjectStore, prefix: str, key: ObjectKey) -> None:
        target = ObjectKey(f"{prefix}b.mp3")
        with pytest.raises(ObjectMissing):
            store.copy(key, target)
        assert store.stat(target) is None


class TestWhatS3ToolsSee:
    HEADERS = ObjectHeaders(
        content_disposition="attachment; filename*=UTF-8''%D0%B3%D0%BE%D0%BB%D0%BE%D1%81.mp3",
        cache_control="private, no-cache",
        metadata={
            "recording": "afadaeeb-2842-41de-987c-ae31169310b5",
            "title": "%D0%B3%D0%BE%D0%BB%D0%BE%D1%81",
        },
    )

    def check(self, client, settings: StoreSettings, key: ObjectKey) -> None:
        head = client.head_object(Bucket=settings.bucket, Key=key)
        assert head["ContentType"] == "audio/mpeg"
        assert head["ContentDisposition"] == self.HEADERS.content_disposition
        assert head["CacheControl"] == "private, no-cache"
        assert head["Metadata"] == self.HEADERS.metadata

    def test_a_put_object_has_its_headers(self, s3: StoreSettings, s3_store, s3_client, key) -> None:
        s3_store.put(key, b"x", self.HEADERS)
        self.check(s3_client, s3, key)

    def test_a_multipart_object_has_its_headers(self, s3: StoreSettings, s3_store, s3_client, key) -> None:
        upload = s3_store.begin_multipart(key, self.HEADERS)
        s3_store.complete_multipart(key, upload, [s3_store.put_part(key, upload, 1, b"x")])
        self.check(s3_client, s3, key)

    def test_a_copy_has_the_headers_of_its_source(self, s3, s3_store, s3_client, prefix, key) -> None:
        target = ObjectKey(f"{prefix}b.mp3")
        s3_store.put(key, b"x", self.HEADERS)
        s3_store.copy(key, target)
        self.check(s3_client, s3, target)

    def test_a_copy_in_parts_has_bytes_and_headers_of_its_source(
        self, s3, s3_client, opened_in_small_parts, prefix, key
    ) -> None:
        """Objects of more than 64 MiB are copied in this way."""
        store, target = opened_in_small_parts, ObjectKey(f"{prefix}b.mp3")
        store.put(key, PART_1 + PART_2, self.HEADERS)
        store.copy(key, target)
        whole = read(store, target, 0, len(PART_1) + len(PART_2))
        assert hashlib.sha256(whole).digest() == hashlib.sha256(PART_1 + PART_2).digest()
        assert s3_client.head_object(Bucket=s3.bucket, Key=target)["ETag"].endswith('-3"')
        assert [*store.open_uploads(target)] == []
        self.check(s3_client, s3, target)


def test_the_longest_title_fits_beside_all_else_that_is_said_of_an_object(
    store: ObjectStore, key: ObjectKey
) -> None:
    """S3 refuses more than 2,048 bytes of metadata; 200 escaped emoji are 2,400 bytes."""
    headers = ObjectHeaders(metadata={"title": metadata_text("🎙" * 200), "the-rest": "x" * 900})
    store.put(key, b"x", headers)
    store.abort_multipart(key, store.begin_multipart(key, headers))
    assert store.stat(key).size_bytes == 1


EACH_METHOD: dict[str, Callable[[S3Store, ObjectKey], object]] = {
    "put": lambda store, key: store.put(key, b"x", PLAIN),
    "begin_multipart": lambda store, key: store.begin_multipart(key, PLAIN),
    "put_part": lambda store, key: store.put_part(key, UploadId("u"), 1, b"x"),
    "complete_multipart": lambda store, key: store.complete_multipart(
        key, UploadId("u"), [Part(1, '"0cc175b9c0f1b6a831c399e269772661"')]
    ),
    "abort_multipart": lambda store, key: store.abort_multipart(key, UploadId("u")),
    "open_uploads": lambda store, key: [*store.open_uploads(key)],
    "parts": lambda store, key: store.parts(key, UploadId("u")),
    "copy": lambda store, key: store.copy(key, ObjectKey(f"{key}-copy")),
    "delete": lambda store, key: store.delete(key),
    "stat": lambda store, key: store.stat(key),
    "list": lambda store, key: [*store.list(key)],
    "check": lambda store, _: store.check(),
    "old_versions": lambda store, key: [*store.old_versions(key)],
    "retention": lambda store, _: store.retention(),
    "read": lambda store, key: read(store, key, 0, 1),
    "read_blocking": lambda store, key: read_blocking(store, key, 0, 1),
}


PARTIAL = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1000000\r\nContent-Range: bytes 0-999999/1000000\r\n"
    b'ETag: "e"\r\nLast-Modified: Wed, 01 Jul 2026 00:00:00 GMT\r\n\r\n'
)


def passed_on(request: bytes, endpoint: str) -> bytes:
    """Forwards a short request to `endpoint` and returns the response."""
    url = urlsplit(endpoint)
    with socket.create_connection((url.hostname, url.port)) as upstream:
        upstream.sendall(request)
        return read_message(upstream)


def until_closed(connection: socket.socket) -> None:
    """Sends nothing until the client closes the connection."""
    with suppress(ConnectionError):
        while connection.recv(65536):
            pass


def stall(connection: socket.socket) -> None:
    """Sends the first 400,000 bytes of a body of 1,000,000, then nothing."""
    connection.recv(65536)  # a response before the request would break the connection
    connection.sendall(PARTIAL + bytes(400_000))
    until_closed(connection)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class TestTrouble:
    @pytest.mark.parametrize("method", EACH_METHOD)
    def test_a_store_that_cannot_be_reached_is_unavailable(self, method: str, closed_port: int, key) -> None:
        store = open_s3(fictional(f"http://127.0.0.1:{closed_port}"), attempts=1)
        with pytest.raises(StoreUnavailable):
            EACH_METHOD[method](store, key)

    @pytest.mark.parametrize("method", EACH_METHOD)
    def test_a_store_that_answers_nonsense_is_unavailable(self, method: str, key: ObjectKey) -> None:
        with answering(lambda _: b"HELLO\r\n\r\n") as endpoint:
            store = open_s3(fictional(endpoint), attempts=1)
            with pytest.raises(StoreUnavailable):
                EACH_METHOD[method](store, key)

    @pytest.mark.parametrize("method", EACH_METHOD)
    def test_a_store_that_says_nothing_is_unavailable(self, method: str, key: ObjectKey) -> None:
        with serving(until_closed) as endpoint:
            store = open_s3(fictional(endpoint, timeout_s=0.1), attempts=1)
            with pytest.raises(StoreUnavailable):
                EACH_METHOD[method](store, key)

    @pytest.mark.parametrize("method", EACH_METHOD)
    def test_wrong_credentials_are_unavailable(self, method: str, s3: StoreSettings, key: ObjectKey) -> None:
        store = open_s3(s3.model_copy(update={"secret_key": fictional("http://x").secret_key}), attempts=1)
        with pytest.raises(StoreUnavailable):
            EACH_METHOD[method](store, key)

    def test_a_missing_bucket_fails_the_check(self, s3: StoreSettings) -> None:
        with pytest.raises(StoreUnavailable):
            open_s3(s3.model_copy(update={"bucket": "pigwav-no-such-bucket"}), attempts=1).check()

    @both_ways
    def test_a_connection_that_dies_in_mid_stream_is_unavailable(self, key: ObjectKey, read: Read) -> None:
        with answering(lambda _: PARTIAL + bytes(400_000)) as endpoint:
            store = open_s3(fictional(endpoint), attempts=2)
            with pytest.raises(StoreUnavailable):
                read(store, key, 0, 1_000_000)

    @both_ways
    def test_a_store_that_falls_silent_in_mid_stream_is_unavailable(self, key: ObjectKey, read: Read) -> None:
        with serving(stall) as endpoint:
            store = open_s3(fictional(endpoint, timeout_s=0.1), attempts=1)
            with pytest.raises(StoreUnavailable):
                read(store, key, 0, 1_000_000)

    def test_a_store_that_stored_other_bytes_is_unavailable(self, key: ObjectKey) -> None:
        answer = b'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "0cc175b9c0f1b6a831c399e269772661"\r\n\r\n'
        with answering(lambda _: answer) as endpoint:
            store = open_s3(fictional(endpoint), attempts=1)
            with pytest.raises(StoreUnavailable, match="other bytes"):
                store.put_part(key, UploadId("u"), 1, b"not an a")
            store.put_part(key, UploadId("u"), 1, b"a")

    def test_a_failure_that_passes_is_not_seen(self, key: ObjectKey) -> None:
        answers = [
            b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        ]
        with answering(lambda _: answers.pop(0)) as endpoint:
            open_s3(fictional(endpoint)).delete(key)
        assert answers == []

    def test_a_begin_that_had_to_be_repeated_leaves_one_upload(
        self, s3: StoreSettings, s3_store: S3Store, key: ObjectKey
    ) -> None:
        answers: list[bytes] = []

        def lose_the_first(request: bytes) -> bytes:
            answers.append(passed_on(request, s3.endpoint))
            return answers[-1] if len(answers) > 1 else b""

        with answering(lose_the_first) as endpoint:
            upload = open_s3(s3.model_copy(update={"endpoint": endpoint})).begin_multipart(key, PLAIN)
        assert len(answers) > 1
        assert [*s3_store.open_uploads(key)] == [OpenUpload(key, upload)]

    @pytest.mark.parametrize("leave", ["close", "cancel"])
    def test_a_read_that_is_left_frees_its_connection(self, leave: str, key: ObjectKey) -> None:
        freed = threading.Event()

        def stall_until_freed(connection: socket.socket) -> None:
            stall(connection)
            freed.set()

        async def listen(endpoint: str, started: asyncio.Event) -> None:
            async with aclosing(open_s3(fictional(endpoint, timeout_s=60)).read(key, 0, 1_000_000)) as blocks:
                async for _ in blocks:
                    started.set()
                    if leave == "close":
                        return

        async def leave_it(endpoint: str) -> None:
            started = asyncio.Event()
            listener = asyncio.create_task(listen(endpoint, started))
            async with asyncio.timeout(10):
                await started.wait()
            if leave == "cancel":
                listener.cancel()
            await asyncio.gather(listener, return_exceptions=leave == "cancel")
            assert await asyncio.to_thread(freed.wait, 10)

        with serving(stall_until_freed) as endpoint:
            asyncio.run(leave_it(endpoint))

    def test_a_blocking_read_that_is_closed_frees_its_connection(self, key: ObjectKey) -> None:
        freed = threading.Event()

        def stall_until_freed(connection: socket.socket) -> None:
            stall(connection)
            freed.set()

        with serving(stall_until_freed) as endpoint:
            blocks = open_s3(fictional(endpoint, timeout_s=60)).read_blocking(key, 0, 1_000_000)
            assert next(blocks)
            blocks.close()
            assert freed.wait(10)


class TestOpening:
    def test_a_store_without_a_bucket_is_not_configured(self) -> None:
        with pytest.raises(NotConfigured):
            open_s3(StoreSettings(endpoint="http://127.0.0.1:9", access_key="a", secret_key="b"))

    def test_half_a_key_is_not_configured(self) -> None:
        with pytest.raises(NotConfigured):
            open_s3(StoreSettings(endpoint="http://127.0.0.1:9", bucket="bucket", access_key="a"))

    def test_no_credentials_at_all_are_not_configured(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(NotConfigured, match="PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY"):
            open_s3(StoreSettings(endpoint="http://127.0.0.1:9", bucket="bucket"))
