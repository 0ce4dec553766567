"""An object store in memory, for tests. It rejects what S3 rejects."""

import hashlib
import itertools
from collections.abc import AsyncGenerator, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Final

from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import (
    MAX_METADATA_BYTES,
    PART_BYTES,
    Kept,
    ObjectHeaders,
    OldVersion,
    OpenUpload,
    Part,
    StoredObject,
    UploadId,
)
from pigwav.store.retention import Retention

READ_BLOCK_BYTES: Final = 64 * 1024
HIGHEST_PART: Final = 10_000


@dataclass(frozen=True)
class _Object:
    body: bytes
    headers: ObjectHeaders
    stored: StoredObject


@dataclass
class _Upload:
    key: ObjectKey
    headers: ObjectHeaders
    begun_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    parts: dict[int, bytes] = field(default_factory=dict)
    completed: bool = False


class MemoryStore:
    """An ObjectStore for one process. Safe to use from any thread. `versioned`: its bucket is."""

    def __init__(self, *, versioned: bool = False) -> None:
        self._is_versioned = versioned
        self._old_versions: list[OldVersion] = []
        self._lock = Lock()
        self._objects: dict[ObjectKey, _Object] = {}
        self._uploads: dict[UploadId, _Upload] = {}
        self._numbers = itertools.count(1)

    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        _check_metadata(headers)
        with self._lock:
            self._store(key, bytes(body), headers)

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId:
        _check_metadata(headers)
        with self._lock:
            upload_id = UploadId(f"upload-{next(self._numbers)}")
            self._uploads[upload_id] = _Upload(key, headers)
            return upload_id

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        if not 1 <= number <= HIGHEST_PART:
            raise StoreUnavailable(f"InvalidArgument: part {number}.")
        with self._lock:
            upload = self._upload(key, upload_id)
            if upload.completed:
                raise StoreUnavailable(f"NoSuchUpload: {upload_id}.")
            upload.parts[number] = bytes(body)
            return Part(number, _etag(body))

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None:
        with self._lock:
            upload = self._upload(key, upload_id)
            if not upload.completed:
                self._store(key, _assemble(upload, parts), upload.headers)
                upload.completed = True
                upload.parts.clear()

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None:
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is not None and upload.key == key and not upload.completed:
                del self._uploads[upload_id]

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        with self._lock:
            found = [
                OpenUpload(upload.key, upload_id, upload.begun_at)
                for upload_id, upload in self._uploads.items()
                if not upload.completed and key in (None, upload.key)
            ]
        yield from found

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        with self._lock:
            upload = self._uploads.get(upload_id)
            held = {} if upload is None or upload.key != key else upload.parts
            return [Part(number, _etag(body)) for number, body in sorted(held.items())]

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        with self._lock:
            found = self._objects.get(source)
            if found is None:
                raise ObjectMissing(f"The object store has no object {source}.")
            self._store(target, found.body, found.headers)

    def delete(self, key: ObjectKey, *, keep_versions: bool = False) -> Kept | None:
        with self._lock:
            if keep_versions and self._is_versioned:
                self._replace(key)
                self._old_versions.append(OldVersion(key, 0, is_marker=True))
            else:
                self._old_versions = [version for version in self._old_versions if version.key != key]
            self._objects.pop(key, None)
            return None

    def stat(self, key: ObjectKey) -> StoredObject | None:
        with self._lock:
            found = self._objects.get(key)
        return None if found is None else found.stored

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        with self._lock:
            found = [self._objects[key].stored for key in sorted(self._objects) if key.startswith(prefix)]
        yield from found

    def old_versions(self, prefix: str = "") -> Iterator[OldVersion]:
        with self._lock:
            found = [version for version in self._old_versions if version.key.startswith(prefix)]
        yield from found

    def retention(self) -> Retention:
        return Retention(versioned=self._is_versioned)

    def headers(self, key: ObjectKey) -> ObjectHeaders | None:
        """The headers that the object was stored with, for tests."""
        with self._lock:
            found = self._objects.get(key)
        return None if found is None else found.headers

    def check(self) -> None:
        """Does nothing: memory is always reachable."""

    async def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        for block in self.read_blocking(key, start, stop):
            yield block

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectMissing(f"The object store has no object {key}.")
        for at in range(start, min(stop, len(found.body)), READ_BLOCK_BYTES):
            yield found.body[at : min(at + READ_BLOCK_BYTES, stop)]
        if stop > len(found.body):
            raise StoreUnavailable(f"The object {key} is shorter than the range that was requested.")

    def close(self) -> None:
        """Does nothing: there is no connection."""

    def _store(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        self._replace(key)
        self._objects[key] = _Object(body, headers, StoredObject(key, len(body), datetime.now(UTC)))

    def _replace(self, key: ObjectKey) -> None:
        """If the bucket is versioned, keeps the object that is to be replaced."""
        if self._is_versioned and (old := self._objects.get(key)):
            self._old_versions.append(OldVersion(key, old.stored.size_bytes, is_marker=False))

    def _upload(self, key: ObjectKey, upload_id: UploadId) -> _Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise StoreUnavailable(f"NoSuchUpload: {upload_id}.")
        return upload


def _check_metadata(headers: ObjectHeaders) -> None:
    if sum(len(name) + len(value) for name, value in headers.metadata.items()) > MAX_METADATA_BYTES:
        raise StoreUnavailable("MetadataTooLarge: more than MAX_METADATA_BYTES.")


def _assemble(upload: _Upload, parts: list[Part]) -> bytes:
    in_order = sorted(parts, key=lambda part: part.number)
    for part in in_order:
        if part.number not in upload.parts or _etag(upload.parts[part.number]) != part.etag:
            raise StoreUnavailable(f"InvalidPart: {part.number}.")
    bodies = [upload.parts[part.number] for part in in_order]
    if not bodies or any(len(body) < PART_BYTES for body in bodies[:-1]):
        raise StoreUnavailable("EntityTooSmall: only the last part may be shorter than PART_BYTES.")
    return b"".join(bodies)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
