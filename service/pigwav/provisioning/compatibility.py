"""Whether an S3 server behaves as the service needs it: each behaviour tried, under a prefix of its own."""

import hashlib
import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store.base import PART_BYTES, ObjectHeaders, Part, UploadId, metadata_text
from pigwav.store.boto import first_line, open_client, open_session, translate_errors
from pigwav.store.s3 import S3Store, open_s3

_SMALL: Final = os.urandom(100_000)
_PART_1, _PART_2, _END = os.urandom(PART_BYTES), os.urandom(PART_BYTES), os.urandom(1000)
_HEADERS: Final = ObjectHeaders(
    content_disposition="attachment; filename=\"______.mp3\"; filename*=UTF-8''%D0%B3%D0%BE%D0%BB%D0%BE%D1%81.mp3",
    cache_control="private, no-cache",
    metadata={"recording": "afadaeeb-2842-41de-987c-ae31169310b5", "title": metadata_text("голос")},
)

ADDRESS: Final = (
    "PIGWAV_S3_ENDPOINT, PIGWAV_S3_REGION, PIGWAV_S3_BUCKET, PIGWAV_S3_ACCESS_KEY, PIGWAV_S3_SECRET_KEY:"
    " what the answer speaks of"
)
RIGHTS: Final = "the rights of PIGWAV_S3_ACCESS_KEY (pigwav provision prints the policy)"
SERVER: Final = "none: choose another server or release"
PROXY: Final = "a proxy in between that rewrites requests, else none: choose another server or release"


class Misbehaves(Exception):
    """The server does something else."""


@dataclass(frozen=True)
class Finding:
    behaviour: str
    ok: bool
    took_ms: float
    problem: str | None = None
    change: str | None = None
    """What to change where it fails."""


@dataclass(frozen=True)
class _Behaviour:
    what: str
    tried: Callable[[], object]
    change: str


@dataclass(frozen=True)
class Probe:
    """One server, by the service's own store and by boto3 for what the store does not show."""

    store: S3Store
    store_of_small_parts: S3Store
    """The same, which copies in parts what is longer than one."""
    s3: Any
    bucket: str
    prefix: str

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(f"{self.prefix}{name}")

    def server(self) -> str:
        """As it calls itself in its answers; empty where it does not. Raises StoreUnavailable."""
        with translate_errors():
            headers = self.s3.head_bucket(Bucket=self.bucket)["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("server", ""))

    def findings(self) -> Iterator[Finding]:
        try:
            for behaviour in self._behaviours():
                finding = _try(behaviour)
                yield finding
                if behaviour.change is ADDRESS and not finding.ok:
                    return
        finally:
            with suppress(StoreUnavailable):  # it has been told above
                self._clean()

    def _behaviours(self) -> list[_Behaviour]:
        return [
            _Behaviour("the bucket answers", self._answers, ADDRESS),
            _Behaviour("an object is put and read", self._put_and_read, RIGHTS),
            _Behaviour("a body that does not fit its Content-MD5 is refused", self._bad_md5, SERVER),
            _Behaviour("content type, disposition, cache control, metadata are kept", self._headers, PROXY),
            _Behaviour("range from the start, inside, to the end", self._ranges, PROXY),
            _Behaviour("suffix range (the last bytes)", self._suffix_range, PROXY),
            _Behaviour("If-None-Match answers 304, If-Match 412", self._conditional, PROXY),
            _Behaviour("parts out of order, part 1 last", self._part_1_last, SERVER),
            _Behaviour("a part that is sent again replaces the first one", self._part_again, SERVER),
            _Behaviour("a multipart object keeps its headers, too", self._multipart_headers, SERVER),
            _Behaviour("completing twice is harmless", self._complete_twice, SERVER),
            _Behaviour("a short part that is not the last is refused", self._short_part, SERVER),
            _Behaviour("open uploads are listed for exactly one key", self._open_uploads, RIGHTS),
            _Behaviour("an upload may be aborted twice and leaves nothing", self._abort_twice, RIGHTS),
            _Behaviour(
                "parts of an open upload are listed, and with gaps make an object", self._parts, RIGHTS
            ),
            _Behaviour("an object is copied with its headers", self._copy, RIGHTS),
            _Behaviour("an object is copied in parts with its headers", self._copy_in_parts, SERVER),
            _Behaviour("a listing is in key order, page by page", self._listing, SERVER),
            _Behaviour("a deleted object is gone; deleting it again is harmless", self._delete_twice, RIGHTS),
            _Behaviour("a missing object is told from an unreachable one", self._missing, RIGHTS),
        ]

    def _answers(self) -> None:
        self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=1)  # HEAD would not say why it is refused

    def _put_and_read(self) -> None:
        self.store.put(self.key("a"), _SMALL, _HEADERS)
        _expect(self._read("a", 0, len(_SMALL)) == _SMALL, "other bytes came back")
        found = self.store.stat(self.key("a"))
        _expect(found is not None and found.size_bytes == len(_SMALL), "its size is told wrong")

    def _bad_md5(self) -> None:
        wrong = b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
        try:
            self.s3.put_object(Bucket=self.bucket, Key=self.key("md5"), Body=b"body", ContentMD5=wrong)
        except ClientError:
            return
        raise Misbehaves("it was stored")

    def _headers(self) -> None:
        self._expect_headers("a")

    def _expect_headers(self, name: str) -> None:
        head = self.s3.head_object(Bucket=self.bucket, Key=self.key(name))
        found = {
            "ContentType": _HEADERS.content_type,
            "ContentDisposition": _HEADERS.content_disposition,
            "CacheControl": _HEADERS.cache_control,
            "Metadata": dict(_HEADERS.metadata),
        }
        differing = [what for what, value in found.items() if head.get(what) != value]
        _expect(not differing, f"it differs: {', '.join(differing)}")

    def _ranges(self) -> None:
        for start, stop in ((0, 2), (1, 99_999), (99_990, 100_000)):
            _expect(self._read("a", start, stop) == _SMALL[start:stop], f"bytes {start} to {stop} differ")

    def _suffix_range(self) -> None:
        got = self.s3.get_object(Bucket=self.bucket, Key=self.key("a"), Range="bytes=-9")
        _expect(got["Body"].read() == _SMALL[-9:], "other bytes came back")
        _expect(got["ContentRange"] == "bytes 99991-99999/100000", "its Content-Range is wrong")

    def _conditional(self) -> None:
        etag = self.s3.head_object(Bucket=self.bucket, Key=self.key("a"))["ETag"]
        for condition, status in (({"IfNoneMatch": etag}, 304), ({"IfMatch": '"other"'}, 412)):
            try:
                self.s3.get_object(Bucket=self.bucket, Key=self.key("a"), **condition)
            except ClientError as error:
                _expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == status, f"not {status}")
            else:
                raise Misbehaves(f"not {status}, but the object")

    def _part_1_last(self) -> None:
        self._upload("m", (3, _END), (2, _PART_2), (1, _PART_1))
        self._expect_whole("m", _PART_1 + _PART_2 + _END)

    def _part_again(self) -> None:
        self._upload("n", (1, _PART_2), (2, _END), (1, _PART_1))
        self._expect_whole("n", _PART_1 + _END)

    def _multipart_headers(self) -> None:
        self._expect_headers("m")

    def _complete_twice(self) -> None:
        key = self.key("o")
        upload = self.store.begin_multipart(key, _HEADERS)
        parts = [self.store.put_part(key, upload, 1, _END)]
        self.store.complete_multipart(key, upload, parts)
        self.store.complete_multipart(key, upload, parts)
        self._expect_whole("o", _END)

    def _short_part(self) -> None:
        key = self.key("p")
        upload = self.store.begin_multipart(key, _HEADERS)
        parts = [self.store.put_part(key, upload, number, _END) for number in (1, 2)]
        try:
            self.store.complete_multipart(key, upload, parts)
        except StoreUnavailable:
            self.store.abort_multipart(key, upload)
        else:
            raise Misbehaves("it was taken")

    def _open_uploads(self) -> None:
        begun = {name: self.store.begin_multipart(self.key(name), _HEADERS) for name in ("q", "qq")}
        found = [upload.upload_id for upload in self.store.open_uploads(self.key("q"))]
        _expect(found == [begun["q"]], f"{len(found)} were listed, not the one")
        everywhere = {upload.upload_id for upload in self.store.open_uploads()}
        _expect({*begun.values()} <= everywhere, "a listing of the whole bucket does not have them")

    def _abort_twice(self) -> None:
        key = self.key("r")
        upload = self.store.begin_multipart(key, _HEADERS)
        self.store.put_part(key, upload, 1, _END)
        self.store.abort_multipart(key, upload)
        self.store.abort_multipart(key, upload)
        _expect(not [*self.store.open_uploads(key)], "it is still open")
        _expect(self.store.stat(key) is None, "there is an object")

    def _parts(self) -> None:
        key = self.key("s")
        upload = self.store.begin_multipart(key, _HEADERS)
        sent = [self.store.put_part(key, upload, n, body) for n, body in ((4, _END), (2, _PART_1))]
        listed = self.store.parts(key, upload)
        _expect(listed == sent[::-1], f"the parts listed are {[part.number for part in listed]}")
        self.store.complete_multipart(key, upload, listed)
        self._expect_whole("s", _PART_1 + _END)

    def _copy(self) -> None:
        self.store.copy(self.key("a"), self.key("t"))
        self._expect_whole("t", _SMALL)
        self._expect_headers("t")

    def _copy_in_parts(self) -> None:
        self.store_of_small_parts.copy(self.key("m"), self.key("u"))
        self._expect_whole("u", _PART_1 + _PART_2 + _END)
        self._expect_headers("u")

    def _listing(self) -> None:
        names = [f"list/{user}/{name}" for user in ("1", "10", "2") for name in "ab"]
        for name in reversed(names):
            self.store.put(self.key(name), b"x", _HEADERS)
        found = [each.key.removeprefix(self.prefix) for each in self.store.list(self.key("list/"))]
        _expect(found == names, f"the order is {' '.join(found)}")

    def _delete_twice(self) -> None:
        self.store.put(self.key("d"), b"x", _HEADERS)
        self.store.delete(self.key("d"))
        self.store.delete(self.key("d"))
        _expect(self.store.stat(self.key("d")) is None, "it is still there")

    def _missing(self) -> None:
        _expect(self.store.stat(self.key("never")) is None, "it was found")

    def _upload(self, name: str, *bodies: tuple[int, bytes]) -> None:
        key = self.key(name)
        upload: UploadId = self.store.begin_multipart(key, _HEADERS)
        sent: dict[int, Part] = {n: self.store.put_part(key, upload, n, body) for n, body in bodies}
        self.store.complete_multipart(key, upload, [*sent.values()])

    def _expect_whole(self, name: str, whole: bytes) -> None:
        _expect(self._read(name, 0, len(whole)) == whole, "other bytes came back")

    def _read(self, name: str, start: int, stop: int) -> bytes:
        return b"".join(self.store.read_blocking(self.key(name), start, stop))

    def _clean(self) -> None:
        for upload in [*self.store.open_uploads()]:
            if upload.key.startswith(self.prefix):
                self.store.abort_multipart(upload.key, upload.upload_id)
        for found in [*self.store.list(self.prefix)]:
            self.store.delete(found.key)


@contextmanager
def open_probe(settings: StoreSettings) -> Iterator[Probe]:
    """Raises NotConfigured."""
    with (
        closing(open_s3(settings, attempts=1, page_size=3)) as store,
        closing(open_s3(settings, attempts=1, copy_part_bytes=PART_BYTES)) as store_of_small_parts,
        closing(open_client(open_session(settings), settings, attempts=1)) as client,
    ):
        yield Probe(
            store,
            store_of_small_parts,
            client,
            settings.bucket or "",
            f"pigwav-s3-check/{secrets.token_hex(6)}/",
        )


def _try(behaviour: _Behaviour) -> Finding:
    begun = time.perf_counter()
    problem = None
    try:
        with translate_errors():
            behaviour.tried()
    except (Misbehaves, PigWavError) as error:
        problem = first_line(error)
    took_ms = round((time.perf_counter() - begun) * 1000, 1)
    change = behaviour.change if problem else None
    return Finding(behaviour.what, problem is None, took_ms, problem, change)


def _expect(so: object, otherwise: str) -> None:
    if not so:
        raise Misbehaves(otherwise)
