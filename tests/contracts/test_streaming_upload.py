"""Uploads of unknown length, on every store, and on stores that fail or block."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from fakes.faulty_store import FaultyStore, Gate, OnCall, unavailable
from longer import long
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectChanged, StoreUnavailable
from pigwav.executors import BoundedExecutor
from pigwav.store.base import PART_BYTES, ObjectHeaders, ObjectStore, OpenUpload, UploadId
from pigwav.store.memory import MemoryStore
from pigwav.store.upload import StoredBytes, StreamingUpload
from pigwav.store.upload_phase import CLEAN_UP, Phase

HEAD = os.urandom(417)
FINAL_HEAD = os.urandom(417)
AUDIO = os.urandom(3 * PART_BYTES + 1000)
HEADERS = ObjectHeaders(metadata={"title": "voice"})


@pytest.fixture
def executor() -> Iterator[BoundedExecutor]:
    executor = BoundedExecutor("store", width=4)
    yield executor
    executor.close()


async def ignore(_: UploadId) -> None: ...


def open_upload(
    store: ObjectStore,
    executor: BoundedExecutor,
    key: ObjectKey,
    on_begun: Any = ignore,
    *,
    predicted: bool = True,
) -> StreamingUpload:
    return StreamingUpload(store, executor, key, HEADERS, predicted=predicted, on_begun=on_begun)


async def write_all(upload: StreamingUpload, size_bytes: int, *, block_bytes: int = 65_536) -> None:
    """Writes `size_bytes`: the predicted head and the start of AUDIO."""
    await upload.write(HEAD)
    audio = memoryview(AUDIO)[: size_bytes - len(HEAD)]
    for at in range(0, len(audio), block_bytes):
        await upload.write(bytes(audio[at : at + block_bytes]))


async def write_and_finish(upload: StreamingUpload, size_bytes: int, head: bytes = HEAD) -> StoredBytes:
    await write_all(upload, size_bytes)
    return await upload.finish(head)


def stored(store: ObjectStore, key: ObjectKey) -> bytes:
    async def collect(size_bytes: int) -> bytes:
        return b"".join([block async for block in store.read(key, 0, size_bytes)])

    found = store.stat(key)
    assert found is not None
    return asyncio.run(collect(found.size_bytes))


def left(store: ObjectStore, key: ObjectKey) -> list[object]:
    return [found for found in [store.stat(key)] if found] + [*store.open_uploads(key)]


SIZES = [
    len(HEAD),
    len(HEAD) + 1,
    PART_BYTES - 1,
    PART_BYTES,
    PART_BYTES + 1,
    2 * PART_BYTES,
    2 * PART_BYTES + 7,
    *long(3 * PART_BYTES, 3 * PART_BYTES + 1000),
]


class TestFinishing:
    @pytest.mark.parametrize(
        ("head", "predicted"),
        [(HEAD, True), (FINAL_HEAD, True), (FINAL_HEAD, False)],
        ids=["predicted", "mispredicted", "unpredicted"],
    )
    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_the_object_is_what_was_written_with_the_final_head(
        self,
        store: ObjectStore,
        executor: BoundedExecutor,
        key: ObjectKey,
        size_bytes: int,
        head: bytes,
        *,
        predicted: bool,
    ) -> None:
        async def upload():
            upload = open_upload(store, executor, key, predicted=predicted)
            await write_all(upload, size_bytes)
            return await upload.finish(head)

        expected = head + AUDIO[: size_bytes - len(HEAD)]
        result = asyncio.run(upload())
        assert result.size_bytes == size_bytes
        assert result.sha256 == hashlib.sha256(expected).digest()
        assert stored(store, key) == expected
        assert [*store.open_uploads(key)] == []

    @pytest.mark.parametrize("block_bytes", [7_919_000, 2 * PART_BYTES, 3 * PART_BYTES])
    def test_blocks_of_any_size_make_the_same_object(
        self, executor: BoundedExecutor, key: ObjectKey, block_bytes: int
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, len(HEAD) + len(AUDIO), block_bytes=block_bytes)
            await upload.finish(HEAD)

        store = MemoryStore()
        asyncio.run(upload())
        assert stored(store, key) == HEAD + AUDIO

    @pytest.mark.parametrize("size_bytes", [PART_BYTES, PART_BYTES + 1])
    def test_the_headers_are_kept(self, executor: BoundedExecutor, key: ObjectKey, size_bytes: int) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, size_bytes)
            await upload.finish(HEAD)

        store = MemoryStore()
        asyncio.run(upload())
        assert store.headers(key) == HEADERS

    def test_up_to_a_part_nothing_is_sent_before_the_end(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, PART_BYTES)
            assert store.asked == []
            await upload.finish(HEAD)
            assert store.asked == ["put"]

        store = FaultyStore(MemoryStore())
        asyncio.run(upload())

    def test_an_upload_is_announced_before_its_first_part_is_sent(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def announce(upload_id: UploadId) -> None:
            announced.append((upload_id, list(store.asked)))

        async def upload() -> None:
            upload = open_upload(store, executor, key, announce)
            await write_all(upload, 2 * PART_BYTES + 1)
            assert [*store.open_uploads(key)] == [OpenUpload(key, announced[0][0])]
            await upload.finish(HEAD)

        announced: list[tuple[UploadId, list[str]]] = []
        store = FaultyStore(MemoryStore())
        asyncio.run(upload())
        assert [asked for _, asked in announced] == [["begin_multipart"]]

    @pytest.mark.parametrize("head", [HEAD + b"longer", HEAD[:100], b""], ids=["longer", "shorter", "none"])
    def test_the_head_of_one_put_may_have_another_length(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey, head: bytes
    ) -> None:
        async def upload() -> StoredBytes:
            upload = open_upload(store, executor, key)
            await write_all(upload, PART_BYTES)
            assert upload.is_whole
            return await upload.finish(head)

        result = asyncio.run(upload())
        expected = head + AUDIO[: PART_BYTES - len(HEAD)]
        assert stored(store, key) == expected
        assert result == StoredBytes(len(expected), hashlib.sha256(expected).digest())

    def test_a_head_of_another_length_is_refused_once_part_1_is_cut(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            try:
                await write_all(upload, PART_BYTES + 1)
                assert not upload.is_whole
                await upload.finish(HEAD + b"x")
            finally:
                await upload.abort()

        store = MemoryStore()
        with pytest.raises(ValueError, match="418"):
            asyncio.run(upload())
        assert left(store, key) == []

    @pytest.mark.parametrize(
        "spoil", [lambda body: body[:-1], lambda body: body[:-1] + b"?"], ids=["short", "changed"]
    )
    def test_a_read_back_that_differs_is_object_changed(
        self, executor: BoundedExecutor, key: ObjectKey, spoil: Callable[[bytes], bytes]
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, PART_BYTES + 1000)
            await upload.finish(FINAL_HEAD)

        def change() -> None:
            inner.put(key, spoil(FINAL_HEAD + AUDIO[: PART_BYTES + 1000 - len(HEAD)]), HEADERS)

        inner = MemoryStore()
        store = FaultyStore(inner, after={"complete_multipart": change})
        with pytest.raises(ObjectChanged):
            asyncio.run(upload())

    def test_an_object_is_read_back_whole_and_no_call_reads_more_than_a_part(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        """A long object does not occupy a thread of the executor for the whole time."""
        size_bytes = 3 * PART_BYTES + 1000
        store = RangesRead(MemoryStore())
        asyncio.run(write_and_finish(open_upload(store, executor, key), size_bytes, FINAL_HEAD))
        assert max(stop - start for start, stop in store.ranges) <= PART_BYTES
        edges = [0, *(stop for _, stop in store.ranges)]
        assert store.ranges == [*itertools.pairwise(edges)]
        assert edges[-1] == size_bytes


class RangesRead(FaultyStore):
    """Records the ranges of blocking reads."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.ranges: list[tuple[int, int]] = []

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        self.ranges.append((start, stop))
        return super().read_blocking(key, start, stop)


class TestMemory:
    def test_write_waits_while_a_part_is_full_and_another_in_flight(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(
                store, executor, key, predicted=False
            )  # otherwise part 1 is both in memory and in flight
            await write_all(upload, 2 * PART_BYTES + 1)
            assert await asyncio.to_thread(gate.reached.wait, 10)
            await upload.write(AUDIO[: PART_BYTES - 1])
            assert upload.held_bytes == 3 * PART_BYTES
            waiting = asyncio.create_task(upload.write(b"x"))
            await turns_of_the_loop()
            assert not waiting.done()
            gate.open()
            await waiting
            await upload.finish(HEAD)

        gate = Gate()
        store = FaultyStore(MemoryStore(), before={"put_part": gate})
        asyncio.run(upload())
        assert stored(store, key)[-1:] == b"x"

    @pytest.mark.parametrize(
        ("head", "predicted", "parts_sent"),
        [(HEAD, True, 2), (FINAL_HEAD, True, 3), (FINAL_HEAD, False, 2)],
    )
    def test_the_first_part_is_sent_again_only_where_its_frame_turned_out_otherwise(
        self, executor: BoundedExecutor, key: ObjectKey, head: bytes, parts_sent: int, *, predicted: bool
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key, predicted=predicted)
            await write_and_finish(upload, PART_BYTES + 1000, head)

        store = FaultyStore(MemoryStore())
        asyncio.run(upload())
        assert store.asked.count("put_part") == parts_sent

    def test_no_more_than_three_parts_and_a_block_are_held(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await upload.write(HEAD)
            for _ in range(5 * PART_BYTES // 65_536):
                await upload.write(AUDIO[:65_536])
                held.append(upload.held_bytes)
            await upload.finish(HEAD)
            held.append(upload.held_bytes)

        held: list[int] = []
        store = MemoryStore()
        asyncio.run(upload())
        assert max(held) <= 3 * PART_BYTES + 65_536
        assert held[-1] == 0


FAULTS = [
    (operation, call, when)
    for operation, calls in (("begin_multipart", 1), ("put_part", 3), ("complete_multipart", 1))
    for call in range(1, calls + 1)
    for when in ("before", "after")
]


class TestAborting:
    @pytest.mark.parametrize(("operation", "call", "when"), FAULTS)
    def test_after_a_failure_nothing_is_left(
        self,
        store: ObjectStore,
        executor: BoundedExecutor,
        key: ObjectKey,
        operation: str,
        call: int,
        when: str,
    ) -> None:
        """The operation fails before it takes effect, or after."""

        async def upload() -> None:
            upload = open_upload(faulty, executor, key)
            with pytest.raises(StoreUnavailable):
                await write_and_finish(upload, 2 * PART_BYTES + 1000)
            await upload.abort()
            await upload.abort()
            assert upload.held_bytes == 0

        faulty = FaultyStore(store, **{when: {operation: OnCall(call, unavailable)}})
        asyncio.run(upload())
        assert left(store, key) == []

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_after_a_failed_put_nothing_is_left(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey, when: str
    ) -> None:
        async def upload() -> None:
            upload = open_upload(faulty, executor, key)
            await write_all(upload, 1000)
            with pytest.raises(StoreUnavailable):
                await upload.finish(HEAD)
            await upload.abort()

        faulty = FaultyStore(store, **{when: {"put": unavailable}})
        asyncio.run(upload())
        assert left(store, key) == []

    @pytest.mark.parametrize(
        ("operation", "call", "size_bytes"),
        [
            ("put", 1, 1000),
            ("begin_multipart", 1, 2 * PART_BYTES + 1000),
            ("put_part", 1, 3 * PART_BYTES + 1000),
            ("put_part", 2, 2 * PART_BYTES + 1000),
            ("put_part", 3, 2 * PART_BYTES + 1000),
            ("complete_multipart", 1, PART_BYTES + 1000),
        ],
    )
    @pytest.mark.parametrize("hold", ["before", "after"])
    def test_cancelled_while_the_store_is_busy_nothing_is_left(
        self,
        store: ObjectStore,
        executor: BoundedExecutor,
        key: ObjectKey,
        operation: str,
        call: int,
        size_bytes: int,
        hold: str,
    ) -> None:
        """A running thread cannot be stopped. The upload waits for it and undoes its effect."""

        async def upload(upload: StreamingUpload) -> None:
            try:
                await write_all(upload, size_bytes)
                await upload.finish(HEAD)
            finally:
                await upload.abort()

        async def cancel() -> None:
            uploading = asyncio.create_task(upload(open_upload(faulty, executor, key)))
            assert await asyncio.to_thread(gate.reached.wait, 10)
            uploading.cancel()
            await turns_of_the_loop()
            assert not uploading.done()
            gate.open()
            await asyncio.wait({uploading})
            assert uploading.cancelled()

        gate = Gate()
        faulty = FaultyStore(store, **{hold: {operation: OnCall(call, gate)}})
        asyncio.run(cancel())
        assert left(store, key) == []

    @pytest.mark.parametrize("operation", ["begin_multipart", "put_part"])
    @pytest.mark.parametrize("hold", ["before", "after"])
    def test_aborted_while_the_store_is_busy_and_the_writer_idle_nothing_is_left(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey, operation: str, hold: str
    ) -> None:
        async def upload() -> None:
            upload = open_upload(faulty, executor, key)
            await write_all(upload, PART_BYTES + 1)
            assert await asyncio.to_thread(gate.reached.wait, 10)
            aborting = asyncio.create_task(upload.abort())
            await turns_of_the_loop()
            assert not aborting.done()
            gate.open()
            await aborting

        gate = Gate()
        faulty = FaultyStore(store, **{hold: {operation: gate}})
        asyncio.run(upload())
        assert left(store, key) == []

    def test_a_failed_announcement_fails_the_upload_and_leaves_nothing(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def fail(_: UploadId) -> None:
            raise ConnectionError("no database")

        async def upload() -> None:
            upload = open_upload(store, executor, key, fail)
            with pytest.raises(ConnectionError):
                await write_all(upload, 3 * PART_BYTES)
            await upload.abort()

        asyncio.run(upload())
        assert left(store, key) == []

    @pytest.mark.parametrize("size_bytes", [1000, PART_BYTES + 1])
    def test_a_finished_object_can_be_taken_back(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey, size_bytes: int
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, size_bytes)
            await upload.finish(HEAD)
            await upload.abort()

        asyncio.run(upload())
        assert left(store, key) == []

    @pytest.mark.parametrize("size_bytes", [0, PART_BYTES])
    def test_a_store_that_was_sent_nothing_is_asked_nothing(
        self, executor: BoundedExecutor, key: ObjectKey, size_bytes: int
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            if size_bytes:
                await write_all(upload, size_bytes)
            await upload.abort()
            assert upload.held_bytes == 0

        store = FaultyStore(MemoryStore())
        asyncio.run(upload())
        assert store.asked == []

    @pytest.mark.parametrize("operation", ["open_uploads", "abort_multipart", "delete"])
    def test_an_abort_that_failed_may_be_repeated(
        self, executor: BoundedExecutor, key: ObjectKey, operation: str
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            with pytest.raises(StoreUnavailable):
                await write_and_finish(upload, 2 * PART_BYTES + 1000)
            with pytest.raises(StoreUnavailable):
                await upload.abort()
            await upload.abort()

        inner = MemoryStore()
        broken = "begin_multipart" if operation == "open_uploads" else "complete_multipart"
        store = FaultyStore(
            inner, after={broken: OnCall(1, unavailable)}, before={operation: OnCall(1, unavailable)}
        )
        asyncio.run(upload())
        assert left(inner, key) == []

    def test_the_uploads_of_a_longer_key_are_left_alone(
        self, store: ObjectStore, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(faulty, executor, key)
            with pytest.raises(StoreUnavailable):
                await write_all(upload, 2 * PART_BYTES + 1000)
            await upload.abort()

        longer = ObjectKey(f"{key}.part")
        other = OpenUpload(longer, store.begin_multipart(longer, HEADERS))
        faulty = FaultyStore(store, after={"begin_multipart": unavailable})
        asyncio.run(upload())
        assert left(store, key) == []
        assert [*store.open_uploads(longer)] == [other]

    def test_a_failed_part_is_told_to_the_next_write(self, executor: BoundedExecutor, key: ObjectKey) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, PART_BYTES + 1)
            with pytest.raises(StoreUnavailable):
                await until_it_raises(lambda: upload.write(b"x"))
            await upload.abort()

        store = FaultyStore(MemoryStore(), before={"put_part": unavailable})
        asyncio.run(upload())


class TestPhase:
    @pytest.mark.parametrize(
        ("size_bytes", "fails", "phase", "asked"),
        [
            (1000, None, Phase.STORED, ["delete"]),
            (1000, "put", Phase.UNKNOWN, ["open_uploads", "delete"]),
            (PART_BYTES + 1, None, Phase.STORED, ["delete"]),
            (PART_BYTES + 1, "begin_multipart", Phase.UNKNOWN, ["open_uploads", "abort_multipart", "delete"]),
            (PART_BYTES + 1, "put_part", Phase.UNKNOWN, ["abort_multipart", "delete"]),
            (PART_BYTES + 1, "complete_multipart", Phase.UNKNOWN, ["abort_multipart", "delete"]),
            (PART_BYTES + 1, "stat", Phase.STORED, ["delete"]),
        ],
    )
    def test_how_far_an_upload_came_decides_what_an_abort_asks_of_the_store(
        self,
        executor: BoundedExecutor,
        key: ObjectKey,
        size_bytes: int,
        fails: str | None,
        phase: Phase,
        asked: list[str],
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            assert upload.phase is Phase.NOTHING_SENT
            with suppress(StoreUnavailable):
                await write_and_finish(upload, size_bytes, FINAL_HEAD)
            store.asked.clear()
            assert upload.phase is phase
            assert await upload.abort() == CLEAN_UP[phase]

        store = FaultyStore(MemoryStore(), after={fails: unavailable} if fails else {})
        asyncio.run(upload())
        assert store.asked == asked

    def test_an_upload_that_its_writer_leaves_in_the_middle_is_aborted_by_its_id(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, 2 * PART_BYTES + 1)
            store.asked.clear()
            assert await upload.abort() == CLEAN_UP[Phase.BEGUN]

        store = FaultyStore(MemoryStore())
        asyncio.run(upload())
        assert [call for call in store.asked if call != "put_part"] == ["abort_multipart"]

    def test_a_part_that_lands_does_not_hide_another_that_failed_beside_it(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        """The last part and the final part 1 are in flight at the same time."""

        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, PART_BYTES + 1000)
            with pytest.raises(StoreUnavailable):
                await upload.finish(FINAL_HEAD)
            cleaned = await upload.abort()
            assert cleaned.repeat_later

        store = FaultyStore(MemoryStore(), before={"put_part": SecondFailsThirdLandsLater()})
        asyncio.run(upload())
        assert store.asked.count("put_part") == 3

    def test_a_call_that_fails_after_its_writer_was_cancelled_is_known_to_the_abort(
        self, executor: BoundedExecutor, key: ObjectKey
    ) -> None:
        async def upload() -> None:
            upload = open_upload(store, executor, key)
            await write_all(upload, 1000)
            finishing = asyncio.create_task(upload.finish(HEAD))
            assert await asyncio.to_thread(gate.reached.wait, 10)
            finishing.cancel()
            await turns_of_the_loop()
            gate.open()
            await asyncio.wait({finishing})
            assert finishing.cancelled()
            assert (await upload.abort()).repeat_later

        def hang() -> None:
            gate()
            unavailable()

        gate = Gate()
        store = FaultyStore(MemoryStore(), before={"put": hang})
        asyncio.run(upload())


class SecondFailsThirdLandsLater:
    """A hook: call 2 fails after call 3 has started, and call 3 continues after call 2 has failed."""

    def __init__(self) -> None:
        self._calls = itertools.count(1)
        self._both_began = Event()
        self._failed = Event()

    def __call__(self) -> None:
        number = next(self._calls)
        if number == 2:
            assert self._both_began.wait(10)
            self._failed.set()
            raise StoreUnavailable
        if number == 3:
            self._both_began.set()
            assert self._failed.wait(10)


async def turns_of_the_loop() -> None:
    """Runs the event loop until all tasks wait for threads."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until_it_raises(call: Callable[[], Coroutine[None, None, None]]) -> None:
    async with asyncio.timeout(10):
        while True:
            await call()
            await asyncio.sleep(0)
