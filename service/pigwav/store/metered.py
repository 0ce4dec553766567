"""Wraps an object store to count and time its calls."""

import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, closing, contextmanager

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError
from pigwav.store.base import (
    Kept,
    ObjectHeaders,
    ObjectStore,
    OldVersion,
    OpenUpload,
    Part,
    StoredObject,
    UploadId,
)
from pigwav.store.retention import Retention
from pigwav.telemetry.metrics import Metrics


class MeteredStore:
    """Forwards calls to `inner`; counts each by its outcome when it ends, and observes its duration.

    For a call that yields blocks or entries, the duration is the time to the first one: later ones also wait for the
    caller. If the caller stops early, the outcome is "ok".
    """

    def __init__(
        self, inner: ObjectStore, metrics: Metrics, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._inner = inner
        self._metrics = metrics
        self._clock = clock

    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        with self._metered("put"):
            self._inner.put(key, body, headers)

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId:
        with self._metered("begin_multipart"):
            return self._inner.begin_multipart(key, headers)

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        with self._metered("put_part"):
            return self._inner.put_part(key, upload_id, number, body)

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None:
        with self._metered("complete_multipart"):
            self._inner.complete_multipart(key, upload_id, parts)

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None:
        with self._metered("abort_multipart"):
            self._inner.abort_multipart(key, upload_id)

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        with self._metered("copy"):
            self._inner.copy(source, target)

    def delete(self, key: ObjectKey, *, keep_versions: bool = False) -> Kept | None:
        with self._metered("delete"):
            return self._inner.delete(key, keep_versions=keep_versions)

    def stat(self, key: ObjectKey) -> StoredObject | None:
        with self._metered("stat"):
            return self._inner.stat(key)

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        with self._metered("open_uploads") as first:
            for upload in self._inner.open_uploads(key):
                first()
                yield upload

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        with self._metered("parts"):
            return self._inner.parts(key, upload_id)

    def old_versions(self, prefix: str = "") -> Iterator[OldVersion]:
        with self._metered("old_versions") as first:
            for found in self._inner.old_versions(prefix):
                first()
                yield found

    def retention(self) -> Retention:
        with self._metered("retention"):
            return self._inner.retention()

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        with self._metered("list") as first:
            for found in self._inner.list(prefix):
                first()
                yield found

    def check(self) -> None:
        with self._metered("check"):
            self._inner.check()

    async def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        with self._metered("read") as first:
            async with aclosing(self._inner.read(key, start, stop)) as blocks:
                async for block in blocks:
                    first()
                    yield block

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        with (
            self._metered("read_blocking") as first,
            closing(self._inner.read_blocking(key, start, stop)) as blocks,
        ):
            for block in blocks:
                first()
                yield block

    def close(self) -> None:
        self._inner.close()

    @contextmanager
    def _metered(self, operation: str) -> Iterator[Callable[[], None]]:
        """Observes the seconds until the `with` block calls the function that it gets, or else until the block ends."""
        began = self._clock()
        outcome, observed = "ok", False

        def observe() -> None:
            nonlocal observed
            if not observed:
                observed = True
                self._metrics.store_seconds.labels(operation).observe(self._clock() - began)

        try:
            yield observe
        except PigWavError as error:
            outcome = error.code
            raise
        finally:
            observe()
            self._metrics.store_requests.labels(operation, outcome).inc()
