"""The behaviours that the service needs from an S3 server. Each function tests one; they run in this order."""

import hashlib
import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final, TypeAlias

from botocore.exceptions import ClientError

from pigwav.errors import StoreUnavailable
from pigwav.provisioning.probe import Behaviour, BehaviourWrong, Probe, expect
from pigwav.settings import StoreSettings
from pigwav.store.base import PART_BYTES, ObjectHeaders, Part, UploadId, metadata_text
from pigwav.store.boto import open_client
from pigwav.store.connection import connection_to
from pigwav.store.s3 import open_s3

_SMALL: Final = os.urandom(100_000)
_PART_1, _PART_2, _END = os.urandom(PART_BYTES), os.urandom(PART_BYTES), os.urandom(1000)
_HEADERS: Final = ObjectHeaders(
    content_disposition="attachment; filename=\"______.mp3\"; filename*=UTF-8''%D0%B3%D0%BE%D0%BB%D0%BE%D1%81.mp3",
    cache_control="private, no-cache",
    metadata={"recording": "afadaeeb-2842-41de-987c-ae31169310b5", "title": metadata_text("голос")},
)

ADDRESS: Final = (
    "PIGWAV_S3_ENDPOINT, PIGWAV_S3_REGION, PIGWAV_S3_BUCKET, PIGWAV_S3_ACCESS_KEY, PIGWAV_S3_SECRET_KEY:"
    " whichever the problem is about"
)
RIGHTS: Final = "the permissions of PIGWAV_S3_ACCESS_KEY (pigwav provision prints the policy)"
SERVER: Final = "no setting helps: use another server or release"
PROXY: Final = (
    "a proxy in front of the server that rewrites requests; otherwise use another server or release"
)

_BEHAVIOURS: Final[list[Behaviour]] = []
_Trial: TypeAlias = Callable[[Probe], None]


def _behaviour(what: str, change: str) -> Callable[[_Trial], _Trial]:
    """Adds the function to the list. `change`: what the operator can change if the test fails."""

    def add(try_on: _Trial) -> _Trial:
        _BEHAVIOURS.append(Behaviour(what, try_on, change))
        return try_on

    return add


@_behaviour("the bucket answers", ADDRESS)
def _answers(probe: Probe) -> None:
    probe.s3.list_objects_v2(Bucket=probe.bucket, MaxKeys=1)  # a refused HEAD has no body that says why


@_behaviour("an object is put and read", RIGHTS)
def _put_and_read(probe: Probe) -> None:
    probe.store.put(probe.key("a"), _SMALL, _HEADERS)
    expect(_read(probe, "a", 0, len(_SMALL)) == _SMALL, "other bytes came back")
    found = probe.store.stat(probe.key("a"))
    expect(found is not None and found.size_bytes == len(_SMALL), "its size is reported wrong")


@_behaviour("a body that does not fit its Content-MD5 is refused", SERVER)
def _bad_md5(probe: Probe) -> None:
    wrong = b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    try:
        probe.s3.put_object(Bucket=probe.bucket, Key=probe.key("md5"), Body=b"body", ContentMD5=wrong)
    except ClientError:
        return
    raise BehaviourWrong("the server stored it")


@_behaviour("content type, disposition, cache control, metadata are kept", PROXY)
def _headers(probe: Probe) -> None:
    _expect_headers(probe, "a")


@_behaviour("range from the start, inside, to the end", PROXY)
def _ranges(probe: Probe) -> None:
    for start, stop in ((0, 2), (1, 99_999), (99_990, 100_000)):
        expect(_read(probe, "a", start, stop) == _SMALL[start:stop], f"bytes {start} to {stop} differ")


@_behaviour("suffix range (the last bytes)", PROXY)
def _suffix_range(probe: Probe) -> None:
    got = probe.s3.get_object(Bucket=probe.bucket, Key=probe.key("a"), Range="bytes=-9")
    expect(got["Body"].read() == _SMALL[-9:], "other bytes came back")
    expect(got["ContentRange"] == "bytes 99991-99999/100000", "its Content-Range is wrong")


@_behaviour("If-None-Match answers 304, If-Match 412", PROXY)
def _conditional(probe: Probe) -> None:
    etag = probe.s3.head_object(Bucket=probe.bucket, Key=probe.key("a"))["ETag"]
    for condition, status in (({"IfNoneMatch": etag}, 304), ({"IfMatch": '"other"'}, 412)):
        try:
            probe.s3.get_object(Bucket=probe.bucket, Key=probe.key("a"), **condition)
        except ClientError as error:
            expect(
                error.response["ResponseMetadata"]["HTTPStatusCode"] == status, f"the status is not {status}"
            )
        else:
            raise BehaviourWrong(f"the object was returned instead of {status}")


@_behaviour("parts out of order, part 1 last", SERVER)
def _part_1_last(probe: Probe) -> None:
    _upload(probe, "m", (3, _END), (2, _PART_2), (1, _PART_1))
    _expect_whole(probe, "m", _PART_1 + _PART_2 + _END)


@_behaviour("a part that is sent again replaces the first one", SERVER)
def _part_again(probe: Probe) -> None:
    _upload(probe, "n", (1, _PART_2), (2, _END), (1, _PART_1))
    _expect_whole(probe, "n", _PART_1 + _END)


@_behaviour("a multipart object keeps its headers, too", SERVER)
def _multipart_headers(probe: Probe) -> None:
    _expect_headers(probe, "m")


@_behaviour("completing twice is harmless", SERVER)
def _complete_twice(probe: Probe) -> None:
    key = probe.key("o")
    upload = probe.store.begin_multipart(key, _HEADERS)
    parts = [probe.store.put_part(key, upload, 1, _END)]
    probe.store.complete_multipart(key, upload, parts)
    probe.store.complete_multipart(key, upload, parts)
    _expect_whole(probe, "o", _END)


@_behaviour("a short part that is not the last is refused", SERVER)
def _short_part(probe: Probe) -> None:
    key = probe.key("p")
    upload = probe.store.begin_multipart(key, _HEADERS)
    parts = [probe.store.put_part(key, upload, number, _END) for number in (1, 2)]
    try:
        probe.store.complete_multipart(key, upload, parts)
    except StoreUnavailable:
        probe.store.abort_multipart(key, upload)
    else:
        raise BehaviourWrong("the server accepted it")


@_behaviour("open uploads are listed for exactly one key", RIGHTS)
def _open_uploads(probe: Probe) -> None:
    begun = {name: probe.store.begin_multipart(probe.key(name), _HEADERS) for name in ("q", "qq")}
    found = [upload.upload_id for upload in probe.store.open_uploads(probe.key("q"))]
    expect(found == [begun["q"]], f"{len(found)} uploads were listed instead of 1")
    everywhere = {upload.upload_id for upload in probe.store.open_uploads()}
    expect({*begun.values()} <= everywhere, "a listing of the whole bucket lacks them")


@_behaviour("an upload may be aborted twice and leaves nothing", RIGHTS)
def _abort_twice(probe: Probe) -> None:
    key = probe.key("r")
    upload = probe.store.begin_multipart(key, _HEADERS)
    probe.store.put_part(key, upload, 1, _END)
    probe.store.abort_multipart(key, upload)
    probe.store.abort_multipart(key, upload)
    expect(not [*probe.store.open_uploads(key)], "it is still open")
    expect(probe.store.stat(key) is None, "an object exists")


@_behaviour("parts of an open upload are listed, and with gaps make an object", RIGHTS)
def _parts(probe: Probe) -> None:
    key = probe.key("s")
    upload = probe.store.begin_multipart(key, _HEADERS)
    sent = [probe.store.put_part(key, upload, n, body) for n, body in ((4, _END), (2, _PART_1))]
    listed = probe.store.parts(key, upload)
    expect(listed == sent[::-1], f"the listed parts are {[part.number for part in listed]}")
    probe.store.complete_multipart(key, upload, listed)
    _expect_whole(probe, "s", _PART_1 + _END)


@_behaviour("an object is copied with its headers", RIGHTS)
def _copy(probe: Probe) -> None:
    probe.store.copy(probe.key("a"), probe.key("t"))
    _expect_whole(probe, "t", _SMALL)
    _expect_headers(probe, "t")


@_behaviour("an object is copied in parts with its headers", SERVER)
def _copy_in_parts(probe: Probe) -> None:
    probe.store_of_small_parts.copy(probe.key("m"), probe.key("u"))
    _expect_whole(probe, "u", _PART_1 + _PART_2 + _END)
    _expect_headers(probe, "u")


@_behaviour("a listing is in key order, page by page", SERVER)
def _listing(probe: Probe) -> None:
    names = [f"list/{user}/{name}" for user in ("1", "10", "2") for name in "ab"]
    for name in reversed(names):
        probe.store.put(probe.key(name), b"x", _HEADERS)
    found = [each.key.removeprefix(probe.prefix) for each in probe.store.list(probe.key("list/"))]
    expect(found == names, f"the order is {' '.join(found)}")


@_behaviour("a deleted object is gone; deleting it again is harmless", RIGHTS)
def _delete_twice(probe: Probe) -> None:
    probe.store.put(probe.key("d"), b"x", _HEADERS)
    probe.store.delete(probe.key("d"))
    probe.store.delete(probe.key("d"))
    expect(probe.store.stat(probe.key("d")) is None, "it still exists")


@_behaviour("a missing object is told from an unreachable one", RIGHTS)
def _missing(probe: Probe) -> None:
    expect(probe.store.stat(probe.key("never")) is None, "it was found")


def _upload(probe: Probe, name: str, *bodies: tuple[int, bytes]) -> None:
    key = probe.key(name)
    upload: UploadId = probe.store.begin_multipart(key, _HEADERS)
    sent: dict[int, Part] = {n: probe.store.put_part(key, upload, n, body) for n, body in bodies}
    probe.store.complete_multipart(key, upload, [*sent.values()])


def _read(probe: Probe, name: str, start: int, stop: int) -> bytes:
    return b"".join(probe.store.read_blocking(probe.key(name), start, stop))


def _expect_whole(probe: Probe, name: str, whole: bytes) -> None:
    expect(_read(probe, name, 0, len(whole)) == whole, "other bytes came back")


def _expect_headers(probe: Probe, name: str) -> None:
    head = probe.s3.head_object(Bucket=probe.bucket, Key=probe.key(name))
    found = {
        "ContentType": _HEADERS.content_type,
        "ContentDisposition": _HEADERS.content_disposition,
        "CacheControl": _HEADERS.cache_control,
        "Metadata": dict(_HEADERS.metadata),
    }
    differing = [what for what, value in found.items() if head.get(what) != value]
    expect(not differing, f"it differs: {', '.join(differing)}")


@contextmanager
def open_probe(settings: StoreSettings) -> Iterator[Probe]:
    """Raises NotConfigured."""
    with (
        closing(open_s3(settings, attempts=1, page_size=3)) as store,
        closing(open_s3(settings, attempts=1, copy_part_bytes=PART_BYTES)) as store_of_small_parts,
        closing(open_client(connection_to(settings), attempts=1)) as client,
    ):
        yield Probe(
            store,
            store_of_small_parts,
            client,
            settings.bucket or "",
            f"pigwav-s3-check/{secrets.token_hex(6)}/",
            _BEHAVIOURS,
        )
