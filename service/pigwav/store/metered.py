"""An object store that counts what it is asked."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError
from pigwav.store.base import ObjectHeaders, ObjectStore, OpenUpload, Part, StoredObject, UploadId
from pigwav.telemetry.metrics import Metrics

T = TypeVar("T")


class MeteredStore:
    """`inner`, with every blocking call counted and timed."""

    def __init__(self, inner: ObjectStore, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        self._metered("put", lambda: self._inner.put(key, body, headers))

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId:
        return self._metered("begin_multipart", lambda: self._inner.begin_multipart(key, headers))

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        return self._metered("put_part", lambda: self._inner.put_part(key, upload_id, number, body))

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None:
        self._metered("complete_multipart", lambda: self._inner.complete_multipart(key, upload_id, parts))

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None:
        self._metered("abort_multipart", lambda: self._inner.abort_multipart(key, upload_id))

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        return self._inner.open_uploads(key)

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        return self._metered("parts", lambda: self._inner.parts(key, upload_id))

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        self._metered("copy", lambda: self._inner.copy(source, target))

    def delete(self, key: ObjectKey) -> None:
        self._metered("delete", lambda: self._inner.delete(key))

    def stat(self, key: ObjectKey) -> StoredObject | None:
        return self._metered("stat", lambda: self._inner.stat(key))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return self._inner.list(prefix)

    def check(self) -> None:
        self._metered("check", self._inner.check)

    def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        return self._inner.read(key, start, stop)

    def close(self) -> None:
        self._inner.close()

    def _metered(self, operation: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        outcome = "ok"
        try:
            return call()
        except PigWavError as error:
            outcome = error.code
            raise
        finally:
            self._metrics.store_requests.labels(operation, outcome).inc()
            self._metrics.store_seconds.labels(operation).observe(time.perf_counter() - began)
