"""The interface of an object store. Every method but `read`, which is async, blocks: call it on an executor."""

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Final, NewType, Protocol
from urllib.parse import quote

from pigwav.domain import ObjectKey
from pigwav.store.retention import Retention

UploadId = NewType("UploadId", str)

PART_BYTES: Final = 5 * 1024 * 1024
"""S3's minimum for a part, except the last. 10,000 parts hold 50 GB, far more than the longest recording."""

MAX_METADATA_BYTES: Final = 2048
MAX_METADATA_TEXT_BYTES: Final = 1024
"""Half of MAX_METADATA_BYTES; the rest is for the other metadata of an object."""


@dataclass(frozen=True)
class ObjectHeaders:
    """An object's headers. Metadata is ASCII (see `metadata_text`), at most MAX_METADATA_BYTES, names included."""

    content_type: str = "audio/mpeg"
    content_disposition: str | None = None
    cache_control: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def metadata_text(text: str) -> str:
    """Percent-encodes `text`, except spaces. Cuts it between characters to at most MAX_METADATA_TEXT_BYTES."""
    encoded = [quote(char, safe=" ") for char in text]
    ends = accumulate(map(len, encoded))
    return "".join(char for char, end in zip(encoded, ends, strict=True) if end <= MAX_METADATA_TEXT_BYTES)


@dataclass(frozen=True)
class StoredObject:
    key: ObjectKey
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class OpenUpload:
    """A multipart upload that is neither completed nor aborted. `begun_at`: None if the store does not report it."""

    key: ObjectKey
    upload_id: UploadId
    begun_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Part:
    number: int
    etag: str


@dataclass(frozen=True)
class OldVersion:
    """A version that is no longer current, or a delete marker, which has no bytes."""

    key: ObjectKey
    size_bytes: int
    is_marker: bool


class Kept(StrEnum):
    """Why the bytes of a deleted object stay in a versioned bucket."""

    NOT_PERMITTED = "not-permitted"
    """The access key may not list or delete versions."""
    LOCKED = "locked"
    """The version is under an object lock or a legal hold."""


class Lookup(Protocol):
    """One bucket. In every protocol here, every method raises StoreUnavailable if the store does not answer or refuses.

    Every call may be repeated: if an object or a part is put twice, the last one wins; an upload may be completed
    twice; it is no error to abort an upload or to delete a key that does not exist.
    """

    def stat(self, key: ObjectKey) -> StoredObject | None: ...


class Reader(Lookup, Protocol):
    """Both methods read the bytes [start, stop) of an object, 0 <= start < stop <= its size.

    They yield blocks of 64 KiB to 1 MiB. Close the generator to free its connection. Raises ObjectMissing before the
    first block if there is no such key, and StoreUnavailable if the store sends fewer bytes than requested.
    """

    def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """For the event loop: does not block a thread."""

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]: ...


class Writer(Protocol):
    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        """Stores a whole object. Its MD5 is checked: by the store, or by us against the ETag."""

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId: ...

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        """Stores part `number` (1 to 10,000), in any order; all but the highest have at least PART_BYTES."""

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None: ...

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None: ...

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        """Makes the store copy an object of any size with its headers. Raises ObjectMissing if there is no source.

        A caller that wants to delete the source must read the copy back first.
        """

    def delete(self, key: ObjectKey, *, keep_versions: bool = False) -> Kept | None:
        """Deletes the object and all its versions. Returns None if no bytes stay, otherwise why they stay.

        With `keep_versions`, a versioned bucket keeps the versions, and the result is None.
        """


class Catalog(Lookup, Protocol):
    """Lists the content of the bucket."""

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        """The open uploads of exactly this key, or of the whole bucket."""

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        """The parts of an open upload, by number; empty if there is no such upload.

        If a part was put twice, it is the later one; within the same second it may be either.
        """

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object under `prefix`, in key order, page by page."""

    def old_versions(self, prefix: str = "") -> Iterator[OldVersion]:
        """What a versioned bucket keeps of replaced and deleted objects."""

    def retention(self) -> Retention:
        """What the bucket keeps of deleted objects, by its settings."""


class Reachable(Protocol):
    def check(self) -> None:
        """One cheap call that proves the bucket can be reached with our credentials."""


class ObjectStore(Reader, Writer, Catalog, Reachable, Protocol):
    """The whole interface. A use-case takes only the protocols that it needs."""

    def close(self) -> None: ...
