"""An object store that fails or blocks at chosen operations."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from threading import Event
from typing import TypeVar

from pigwav.domain import ObjectKey
from pigwav.errors import StoreUnavailable
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

T = TypeVar("T")
Hook = Callable[[], None]


class FaultyStore:
    """`inner` with hooks by method name, which run `before` an operation takes effect or `after` it.

    If a hook raises, the operation fails; if it blocks (Gate), the operation waits. `asked`: the operations so far.
    `read` stands for both ways to read; its `after` hook runs after each block.
    """

    def __init__(
        self,
        inner: ObjectStore,
        *,
        before: Mapping[str, Hook] | None = None,
        after: Mapping[str, Hook] | None = None,
    ) -> None:
        self._inner = inner
        self.before = dict(before or {})
        self.after = dict(after or {})
        self.asked: list[str] = []

    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        self._through("put", lambda: self._inner.put(key, body, headers))

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId:
        return self._through("begin_multipart", lambda: self._inner.begin_multipart(key, headers))

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        return self._through("put_part", lambda: self._inner.put_part(key, upload_id, number, body))

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None:
        self._through("complete_multipart", lambda: self._inner.complete_multipart(key, upload_id, parts))

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None:
        self._through("abort_multipart", lambda: self._inner.abort_multipart(key, upload_id))

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        yield from self._through("open_uploads", lambda: [*self._inner.open_uploads(key)])

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        return self._through("parts", lambda: self._inner.parts(key, upload_id))

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        self._through("copy", lambda: self._inner.copy(source, target))

    def delete(self, key: ObjectKey, *, keep_versions: bool = False) -> Kept | None:
        return self._through("delete", lambda: self._inner.delete(key, keep_versions=keep_versions))

    def stat(self, key: ObjectKey) -> StoredObject | None:
        return self._through("stat", lambda: self._inner.stat(key))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        yield from self._through("list", lambda: [*self._inner.list(prefix)])

    def old_versions(self, prefix: str = "") -> Iterator[OldVersion]:
        yield from self._through("old_versions", lambda: [*self._inner.old_versions(prefix)])

    def retention(self) -> Retention:
        return self._through("retention", self._inner.retention)

    def check(self) -> None:
        self._through("check", self._inner.check)

    async def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        self._enter("read")
        async for block in self._inner.read(key, start, stop):
            yield block
            self._leave("read")

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        self._enter("read")
        for block in self._inner.read_blocking(key, start, stop):
            yield block
            self._leave("read")

    def close(self) -> None:
        self._inner.close()

    def _through(self, name: str, operation: Callable[[], T]) -> T:
        self._enter(name)
        result = operation()
        self._leave(name)
        return result

    def _enter(self, name: str) -> None:
        self.asked.append(name)
        self.before.get(name, _nothing)()

    def _leave(self, name: str) -> None:
        self.after.get(name, _nothing)()


class Gate:
    """A hook that blocks an operation's thread until the test calls `open`."""

    def __init__(self) -> None:
        self.reached = Event()
        self._opened = Event()

    def __call__(self) -> None:
        self.reached.set()
        if not self._opened.wait(timeout=30):
            raise TimeoutError("the test did not open the gate")

    def open(self) -> None:
        self._opened.set()


class OnCall:
    """A hook that calls `hook` only on its n-th call."""

    def __init__(self, number: int, hook: Hook) -> None:
        self._to_go = number
        self._hook = hook

    def __call__(self) -> None:
        self._to_go -= 1
        if self._to_go == 0:
            self._hook()


def unavailable() -> None:
    """A hook that raises StoreUnavailable."""
    raise StoreUnavailable


def _nothing() -> None: ...
