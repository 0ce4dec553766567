"""Every call to an object store is counted by outcome and timed."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, closing
from itertools import islice

import pytest

from fakes.faulty_store import FaultyStore, unavailable
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import PART_BYTES, ObjectHeaders, ObjectStore, UploadId
from pigwav.store.memory import READ_BLOCK_BYTES, MemoryStore
from pigwav.store.metered import MeteredStore
from pigwav.telemetry.metrics import Metrics

KEY, OTHER = ObjectKey("recordings/1/a.mp3"), ObjectKey("recordings/1/b.mp3")
PLAIN = ObjectHeaders()
BODY = bytes(3 * READ_BLOCK_BYTES)


def read(store: ObjectStore, key: ObjectKey = KEY) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [block async for block in store.read(key, 0, len(BODY))]

    return asyncio.run(collect())


def complete(store: ObjectStore) -> None:
    [upload] = store.open_uploads(OTHER)
    store.complete_multipart(OTHER, upload.upload_id, store.parts(OTHER, upload.upload_id))


CALLS: dict[str, Callable[[ObjectStore, UploadId], object]] = {
    "put": lambda store, _: store.put(KEY, BODY, PLAIN),
    "begin_multipart": lambda store, _: store.begin_multipart(KEY, PLAIN),
    "put_part": lambda store, upload: store.put_part(OTHER, upload, 1, BODY),
    "complete_multipart": lambda store, _: complete(store),
    "abort_multipart": lambda store, upload: store.abort_multipart(OTHER, upload),
    "open_uploads": lambda store, _: [*store.open_uploads()],
    "parts": lambda store, upload: store.parts(OTHER, upload),
    "copy": lambda store, _: store.copy(KEY, ObjectKey("recordings/1/c.mp3")),
    "delete": lambda store, _: store.delete(KEY),
    "stat": lambda store, _: store.stat(KEY),
    "list": lambda store, _: [*store.list()],
    "check": lambda store, _: store.check(),
    "old_versions": lambda store, _: [*store.old_versions()],
    "retention": lambda store, _: store.retention(),
    "read": lambda store, _: read(store),
    "read_blocking": lambda store, _: [*store.read_blocking(KEY, 0, len(BODY))],
}


@pytest.fixture
def inner() -> MemoryStore:
    """A store with one object and one open upload with one part."""
    store = MemoryStore()
    store.put(KEY, BODY, PLAIN)
    store.put_part(OTHER, store.begin_multipart(OTHER, PLAIN), 1, bytes(PART_BYTES))
    return store


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def samples(metrics: Metrics, name: str, operation: str) -> dict[str, float]:
    """Samples of an operation by outcome ("" without one)."""
    return {
        sample.labels.get("outcome", ""): sample.value
        for family in metrics.families()
        for sample in family.samples
        if sample.name == name and sample.labels["operation"] == operation
    }


def outcomes(metrics: Metrics, operation: str) -> dict[str, float]:
    return samples(metrics, "pigwav_store_requests_total", operation)


def seconds(metrics: Metrics, operation: str) -> float:
    return samples(metrics, "pigwav_store_request_duration_seconds_sum", operation)[""]


def timed(metrics: Metrics, operation: str) -> float:
    return samples(metrics, "pigwav_store_request_duration_seconds_count", operation)[""]


def test_no_call_is_left_out() -> None:
    public = {name for name, _ in inspect.getmembers(ObjectStore, inspect.isfunction) if name[0] != "_"}
    assert {*CALLS} == public - {"close"}


@pytest.mark.parametrize("operation", CALLS)
def test_a_call_that_succeeds_is_counted_and_timed_once(
    inner: MemoryStore, metrics: Metrics, operation: str
) -> None:
    [upload] = inner.open_uploads()
    CALLS[operation](MeteredStore(inner, metrics), upload.upload_id)
    assert outcomes(metrics, operation) == {"ok": 1}
    assert timed(metrics, operation) == 1


@pytest.mark.parametrize("operation", CALLS)
def test_a_call_that_fails_is_counted_by_its_error_and_timed(
    inner: MemoryStore, metrics: Metrics, operation: str
) -> None:
    [upload] = inner.open_uploads()
    hook = "read" if operation == "read_blocking" else operation
    store = MeteredStore(FaultyStore(inner, before={hook: unavailable}), metrics)
    with pytest.raises(StoreUnavailable):
        CALLS[operation](store, upload.upload_id)
    assert outcomes(metrics, operation) == {"store-unavailable": 1}
    assert timed(metrics, operation) == 1


def test_a_read_that_fails_after_its_first_block_is_not_ok(inner: MemoryStore, metrics: Metrics) -> None:
    store = MeteredStore(FaultyStore(inner, after={"read": unavailable}), metrics)
    with pytest.raises(StoreUnavailable):
        read(store)
    with pytest.raises(StoreUnavailable):
        [*store.read_blocking(KEY, 0, len(BODY))]
    assert outcomes(metrics, "read") == outcomes(metrics, "read_blocking") == {"store-unavailable": 1}


def test_a_missing_object_has_an_outcome_of_its_own(inner: MemoryStore, metrics: Metrics) -> None:
    with pytest.raises(ObjectMissing):
        read(MeteredStore(inner, metrics), ObjectKey("recordings/1/never.mp3"))
    assert outcomes(metrics, "read") == {"object-missing": 1}


class Clock:
    """A simulated clock: the store needs 2 s per block or entry; the test adds the caller's time."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def store_works(self) -> None:
        self.now_s += 2


@pytest.mark.parametrize("operation", ["list", "open_uploads", "read_blocking", "read"])
def test_the_seconds_are_those_to_the_first_block_or_entry_and_not_the_caller_s(
    inner: MemoryStore, metrics: Metrics, operation: str
) -> None:
    async def go_through(blocks: AsyncIterator[bytes]) -> None:
        async for _ in blocks:
            clock.now_s += 1000

    clock = Clock()
    inner.put(ObjectKey("recordings/1/d.mp3"), BODY, PLAIN)
    hook = "read" if operation == "read_blocking" else operation
    store = MeteredStore(FaultyStore(inner, before={hook: clock.store_works}), metrics, clock=clock)
    if operation == "read":
        asyncio.run(go_through(store.read(KEY, 0, len(BODY))))
    else:
        given = {
            "list": store.list,
            "open_uploads": store.open_uploads,
            "read_blocking": lambda: store.read_blocking(KEY, 0, len(BODY)),
        }[operation]()
        for _ in given:
            clock.now_s += 1000
    assert seconds(metrics, operation) == 2


def test_a_list_without_entries_is_timed_to_its_end(metrics: Metrics) -> None:
    clock = Clock()
    store = MeteredStore(FaultyStore(MemoryStore(), before={"list": clock.store_works}), metrics, clock=clock)
    assert [*store.list()] == []
    assert seconds(metrics, "list") == 2
    assert outcomes(metrics, "list") == {"ok": 1}


def test_a_caller_that_stops_early_is_ok(inner: MemoryStore, metrics: Metrics) -> None:
    async def read_one_block() -> None:
        async with aclosing(store.read(KEY, 0, len(BODY))) as blocks:
            await anext(blocks)

    store = MeteredStore(inner, metrics)
    asyncio.run(read_one_block())
    with closing(store.read_blocking(KEY, 0, len(BODY))) as blocks:
        assert len([*islice(blocks, 1)]) == 1
    assert outcomes(metrics, "read") == outcomes(metrics, "read_blocking") == {"ok": 1}


def test_a_read_that_is_closed_closes_the_one_within(inner: MemoryStore, metrics: Metrics) -> None:
    """Otherwise its connection stays open until the next garbage collection."""

    async def read_one_block() -> None:
        async with aclosing(MeteredStore(within, metrics).read(KEY, 0, len(BODY))) as blocks:
            await anext(blocks)
        assert within.closed == ["async"]

    within = ClosingStore(inner)
    asyncio.run(read_one_block())
    blocking = MeteredStore(within, metrics).read_blocking(KEY, 0, len(BODY))
    next(blocking)
    blocking.close()
    assert within.closed == ["async", "blocking"]


class ClosingStore(FaultyStore):
    """Records which reads were closed."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.closed: list[str] = []

    async def read(self, key: ObjectKey, start: int, stop: int):
        try:
            async for block in super().read(key, start, stop):
                yield block
        finally:
            self.closed.append("async")

    def read_blocking(self, key: ObjectKey, start: int, stop: int):
        try:
            yield from super().read_blocking(key, start, stop)
        finally:
            self.closed.append("blocking")
