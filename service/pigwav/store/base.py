"""What the service needs of an object store. All but `read`, which is async, blocks: call it on an executor."""

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Final, NewType, Protocol
from urllib.parse import quote

from pigwav.domain import ObjectKey

UploadId = NewType("UploadId", str)

PART_BYTES: Final = 5 * 1024 * 1024
"""S3's smallest part (all but the last). 10,000 of them hold 50 GB: far more than the longest recording."""

MAX_METADATA_BYTES: Final = 2048
MAX_METADATA_TEXT_BYTES: Final = 1024
"""Half of it: the rest is for what else is known of an object."""


@dataclass(frozen=True)
class ObjectHeaders:
    """What S3 tools and browsers see on an object. Metadata is ASCII (see `metadata_text`) and at most
    MAX_METADATA_BYTES in all, names included.
    """

    content_type: str = "audio/mpeg"
    content_disposition: str | None = None
    cache_control: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def metadata_text(text: str) -> str:
    """`text` percent-encoded (but for spaces), cut behind the last character that MAX_METADATA_TEXT_BYTES hold."""
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
    """A multipart upload that was begun and neither completed nor aborted. `begun_at`: where the store tells it."""

    key: ObjectKey
    upload_id: UploadId
    begun_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Part:
    number: int
    etag: str


class Lookup(Protocol):
    """One bucket. In every protocol here, every method raises StoreUnavailable if the store does not answer or refuses.

    Everything may be repeated: an object or a part put twice is there once (the last one wins), an upload may
    be completed twice; aborting an upload or deleting a key that is gone is no error.
    """

    def stat(self, key: ObjectKey) -> StoredObject | None: ...


class Reader(Lookup, Protocol):
    """Both reads give the bytes [start, stop) of an object, 0 <= start < stop <= its size.

    They come in blocks of 64 KiB to 1 MiB; closing the generator frees its connection. Raises ObjectMissing before
    the first block if there is no such key, and StoreUnavailable if fewer bytes come than were asked for.
    """

    def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        """For the event loop: holds no thread."""

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]: ...


class Writer(Protocol):
    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        """Store a whole object. The store checks the body against its MD5."""

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId: ...

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        """Store part `number` (1 to 10,000), in any order; all but the highest have at least PART_BYTES."""

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None: ...

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None: ...

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        """The whole object once more, of any size, with its headers, by the store itself. The source stays.

        A caller that removes the source afterwards reads the copy back first. Raises ObjectMissing.
        """

    def delete(self, key: ObjectKey) -> None: ...


class Catalog(Lookup, Protocol):
    """What the bucket holds."""

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        """The open uploads of exactly this key, or of the whole bucket."""

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        """What an open upload holds, by number; nothing if there is no such upload.

        Of a part that was put twice it is the later one; within the same second it may be either.
        """

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object under `prefix`, in key order, page by page."""


class Reachable(Protocol):
    def check(self) -> None:
        """One cheap call that proves the bucket can be reached with our credentials."""


class ObjectStore(Reader, Writer, Catalog, Reachable, Protocol):
    """All that a store does. A use-case asks for the protocols that it needs."""

    def close(self) -> None: ...
