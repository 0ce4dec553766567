"""One bucket of an S3 server: obstore for reads and small puts, boto3 for all other calls. Converts their exceptions to
ours.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import boto3
import obstore
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import S3Store as Bucket

from pigwav.domain import ObjectKey
from pigwav.errors import NotConfigured, ObjectMissing, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store import advice
from pigwav.store.base import Kept, ObjectHeaders, OldVersion, OpenUpload, Part, StoredObject, UploadId
from pigwav.store.boto import error_code, first_line, open_client, translate_errors
from pigwav.store.connection import Connection, connection_to
from pigwav.store.retention import Retention, retention_from
from pigwav.store.small_puts import SmallPuts

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential  # do not exist at run time

READ_BLOCK_BYTES: Final = 64 * 1024
WHOLE_BYTES: Final = 256 * 1024
"""Up to this size, a read is one call and one block."""

COPY_PART_BYTES: Final = 64 * 1024 * 1024
"""A larger object is copied in parts of this size, to keep each request within the timeout. 10,000 parts are 640 GB."""

LONGEST_READ: Final = timedelta(days=1)
"""A slow download may take hours; a read fails earlier only if the store sends nothing for `read_timeout`."""

_NO_PROXY: Final = "http://127.0.0.1:9"
"""A proxy that obstore never asks, because the store's host is excluded. With none, it would look for one itself."""

_NO_SETTING: Final = frozenset(
    {
        "NoSuchLifecycleConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "NoSuchObjectLockConfiguration",
        "NotImplemented",
        "MethodNotAllowed",
    }
)
_LOCKED: Final = re.compile(r"WORM|object lock|ObjectLocked|legal hold|retention", re.IGNORECASE)
"""Words in the error for a version under a lock; servers have no common code for it."""

_COPIED_HEADERS: Final = (
    "ContentType",
    "ContentDisposition",
    "CacheControl",
    "ContentEncoding",
    "ContentLanguage",
    "Metadata",
)
"""Headers that we send with a copy in parts; for a copy in one request, the store copies them."""


class S3Store:
    """An ObjectStore. `open_s3` sets how often each request is tried; every request may be repeated."""

    def __init__(
        self,
        client: Any,
        bucket: Bucket,
        name: str,
        *,
        small_puts: SmallPuts,
        page_size: int = 1000,
        copy_part_bytes: int = COPY_PART_BYTES,
    ) -> None:
        self._s3 = client  # Any: boto3 makes a client's methods at run time
        self._reads = bucket
        self._small_puts = small_puts
        self._bucket = name
        self._page_size = page_size
        self._copy_part_bytes = copy_part_bytes

    def put(self, key: ObjectKey, body: bytes, headers: ObjectHeaders) -> None:
        md5 = hashlib.md5(body, usedforsecurity=False)
        if self._small_puts.put(key, body, headers, md5_hex=md5.hexdigest()):
            return
        with translate_errors():
            answer = self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentMD5=_base64(md5.digest()), **_as_s3(headers)
            )
        _check_stored(answer, md5.hexdigest())

    def begin_multipart(self, key: ObjectKey, headers: ObjectHeaders) -> UploadId:
        with translate_errors():
            return self._begin(key, _as_s3(headers))

    def put_part(self, key: ObjectKey, upload_id: UploadId, number: int, body: bytes) -> Part:
        md5 = hashlib.md5(body, usedforsecurity=False)
        with translate_errors():
            answer = self._s3.upload_part(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=body,
                ContentMD5=_base64(md5.digest()),
            )
        _check_stored(answer, md5.hexdigest())
        return Part(number, answer["ETag"])

    def complete_multipart(self, key: ObjectKey, upload_id: UploadId, parts: list[Part]) -> None:
        in_order = sorted(parts, key=lambda part: part.number)
        entries = [{"PartNumber": part.number, "ETag": part.etag} for part in in_order]
        with translate_errors():
            try:
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": entries}
                )
            except ClientError as error:
                # MinIO forgets a completed upload: a retry after a lost response gets NoSuchUpload.
                head = self._head(key) if error_code(error) == "NoSuchUpload" else None
                if head is None or head["ETag"].strip('"') != _multipart_etag(in_order):
                    raise

    def abort_multipart(self, key: ObjectKey, upload_id: UploadId) -> None:
        with translate_errors():
            try:
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        # MinIO takes the prefix as an exact key (or lists all without one); other servers take it as a prefix.
        with translate_errors():
            for entry in self._entries("list_multipart_uploads", "Uploads", Prefix=key or ""):
                if key is None or entry["Key"] == key:
                    upload_id = UploadId(entry["UploadId"])
                    yield OpenUpload(ObjectKey(entry["Key"]), upload_id, entry.get("Initiated"))

    def parts(self, key: ObjectKey, upload_id: UploadId) -> list[Part]:
        with translate_errors():
            try:
                entries = [*self._entries("list_parts", "Parts", Key=key, UploadId=upload_id)]
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise
                return []
        # If a part was put twice, SeaweedFS lists it twice, in any order.
        entries.sort(key=lambda entry: (entry["PartNumber"], entry["LastModified"]))
        latest = {entry["PartNumber"]: entry["ETag"] for entry in entries}
        return [Part(number, etag) for number, etag in latest.items()]

    def copy(self, source: ObjectKey, target: ObjectKey) -> None:
        with translate_errors():
            head = self._head(source)
            if head is None:
                raise ObjectMissing
            try:
                if head["ContentLength"] <= self._copy_part_bytes:
                    self._s3.copy_object(Bucket=self._bucket, Key=target, **self._as_source(source, head))
                else:
                    self._copy_in_parts(source, target, head)
            except ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                raise ObjectMissing from error

    def delete(self, key: ObjectKey, *, keep_versions: bool = False) -> Kept | None:
        with translate_errors():
            answer = self._s3.delete_object(Bucket=self._bucket, Key=key)
            is_versioned = "VersionId" in answer or "DeleteMarker" in answer
            if not is_versioned or keep_versions:
                return None
            return delete_versions(self._s3, self._bucket, key, page_size=self._page_size)

    def stat(self, key: ObjectKey) -> StoredObject | None:
        with translate_errors():
            head = self._head(key)
        return None if head is None else StoredObject(key, head["ContentLength"], head["LastModified"])

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        with translate_errors():
            for entry in self._entries("list_objects_v2", "Contents", Prefix=prefix):
                yield StoredObject(ObjectKey(entry["Key"]), entry["Size"], entry["LastModified"])

    def old_versions(self, prefix: str = "") -> Iterator[OldVersion]:
        with translate_errors():
            for entry in _versions(self._s3, self._bucket, prefix, self._page_size):
                if entry["is_marker"] or not entry["IsLatest"]:
                    yield OldVersion(ObjectKey(entry["Key"]), entry.get("Size", 0), entry["is_marker"])

    def retention(self) -> Retention:
        with translate_errors():
            versioning = self._setting("get_bucket_versioning")
            if versioning is not None and "Status" not in versioning:
                return Retention()
            return retention_from(
                versioning,
                self._setting("get_bucket_lifecycle_configuration"),
                self._setting("get_object_lock_configuration"),
                prefix="recordings/",
            )

    def check(self) -> None:
        with translate_errors():
            try:
                self._s3.head_bucket(Bucket=self._bucket)
            except ClientError:
                self._s3.list_objects_v2(
                    Bucket=self._bucket, MaxKeys=1
                )  # a refused HEAD has no body that says why
                raise

    async def read(self, key: ObjectKey, start: int, stop: int) -> AsyncGenerator[bytes]:
        if stop - start <= WHOLE_BYTES:
            with _translate_read_errors():
                block = bytes(await obstore.get_range_async(self._reads, key, start=start, end=stop))
            _check_whole(stop - start - len(block))
            yield block
            return
        missing_bytes = stop - start
        blocks: obstore.BytesStream | None = None
        with _translate_read_errors():
            try:
                found = await obstore.get_async(self._reads, key, options={"range": (start, stop)})
                blocks = found.stream(min_chunk_size=READ_BLOCK_BYTES)
                async for block in blocks:
                    missing_bytes -= len(block)
                    yield block
            finally:
                del blocks  # a traceback may hold this frame, but must not hold the connection
        _check_whole(missing_bytes)

    def read_blocking(self, key: ObjectKey, start: int, stop: int) -> Generator[bytes]:
        missing_bytes = stop - start
        blocks: obstore.BytesStream | None = None
        with _translate_read_errors():
            try:
                found = obstore.get(self._reads, key, options={"range": (start, stop)})
                blocks = found.stream(min_chunk_size=READ_BLOCK_BYTES)
                for block in blocks:
                    missing_bytes -= len(block)
                    yield block
            finally:
                del blocks
        _check_whole(missing_bytes)

    def close(self) -> None:
        self._s3.close()

    def _head(self, key: ObjectKey) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) != "404":  # a response to HEAD has no body that could say NoSuchKey
                raise
            return None
        return head

    def _begin(self, key: ObjectKey, headers: dict[str, Any]) -> UploadId:
        answer = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, **headers)
        upload_id = UploadId(answer["UploadId"])
        if answer["ResponseMetadata"]["RetryAttempts"]:
            for upload in [
                *self.open_uploads(key)
            ]:  # an attempt whose response was lost may have begun one, too
                if upload.upload_id != upload_id:
                    self.abort_multipart(key, upload.upload_id)
        return upload_id

    def _copy_in_parts(self, source: ObjectKey, target: ObjectKey, head: dict[str, Any]) -> None:
        upload_id = self._begin(target, {name: head[name] for name in _COPIED_HEADERS if name in head})
        size_bytes, parts = head["ContentLength"], []
        try:
            for number, start in enumerate(range(0, size_bytes, self._copy_part_bytes), 1):
                stop = min(start + self._copy_part_bytes, size_bytes)
                answer = self._s3.upload_part_copy(
                    Bucket=self._bucket,
                    Key=target,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySourceRange=f"bytes={start}-{stop - 1}",
                    **self._as_source(source, head),
                )
                parts.append(Part(number, answer["CopyPartResult"]["ETag"]))
            self.complete_multipart(target, upload_id, parts)
        except (ClientError, BotoCoreError, StoreUnavailable):
            self.abort_multipart(target, upload_id)
            raise

    def _as_source(self, key: ObjectKey, head: dict[str, Any]) -> dict[str, Any]:
        """The source of a copy: exactly the object that `head` describes."""
        return {"CopySource": {"Bucket": self._bucket, "Key": key}, "CopySourceIfMatch": head["ETag"]}

    def _setting(self, operation: str) -> dict[str, Any] | None:
        """A setting of the bucket; empty if there is none, None if the key may not read it."""
        try:
            answer: dict[str, Any] = getattr(self._s3, operation)(Bucket=self._bucket)
        except ClientError as error:
            if error_code(error) in _NO_SETTING:
                return {}
            if error_code(error) != "AccessDenied":
                raise
            return None
        return answer

    def _entries(self, operation: str, member: str, **of: str) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator(operation).paginate(
            Bucket=self._bucket, PaginationConfig={"PageSize": self._page_size}, **of
        )
        for page in pages:
            yield from page.get(member, ())


def open_s3(
    settings: StoreSettings,
    *,
    attempts: int = 3,
    page_size: int = 1000,
    copy_part_bytes: int = COPY_PART_BYTES,
) -> S3Store:
    """The bucket in `settings`; sends nothing yet. Each request is tried up to `attempts` times; a small put once
    more. Raises NotConfigured.

    Both drivers get the same Connection.
    """
    if settings.bucket is None:
        raise NotConfigured("The object store needs a bucket: set PIGWAV_S3_BUCKET.")
    connection = connection_to(settings)
    client = open_client(connection, attempts=attempts)
    try:
        bucket = _open_bucket(connection, settings.bucket, attempts)
        small_puts = SmallPuts(_open_bucket(connection, settings.bucket, attempts=1))
    except (ObstoreError, ValueError) as error:
        raise NotConfigured(f"The object store cannot be used as configured: {first_line(error)}") from error
    return S3Store(
        client,
        bucket,
        settings.bucket,
        small_puts=small_puts,
        page_size=page_size,
        copy_part_bytes=copy_part_bytes,
    )


def _open_bucket(connection: Connection, name: str, attempts: int) -> Bucket:
    """obstore would find in the environment what is not given here; for the proxy, it would read another NO_PROXY."""
    config: S3Config = {
        "endpoint": connection.endpoint,
        "aws_endpoint_url_s3": connection.endpoint,
        "region": connection.region,
        "virtual_hosted_style_request": False,
        "skip_signature": False,
        "s3_express": False,
    }
    options: ClientConfig = {
        "allow_http": connection.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=connection.connect_timeout_s),
        "read_timeout": timedelta(seconds=connection.timeout_s),
        "timeout": LONGEST_READ,
        "proxy_url": connection.proxy or _NO_PROXY,
    }
    if not connection.proxy:
        options["proxy_excludes"] = connection.host
    if connection.ca_bundle:
        options["root_certificate"] = connection.ca_bundle.read_text()
    return Bucket(
        name,
        config=config,
        credential_provider=_credential_provider(connection.session),
        client_options=options,
        retry_config={"max_retries": attempts - 1},
    )


def _credential_provider(session: boto3.Session) -> "Callable[[], S3Credential]":
    """Keys that expire are asked for before each request, as boto3 does: botocore decides when to renew them. To ask
    costs a third of the CPU time of a small read, so obstore keeps the others.
    """
    keys = session.get_credentials()
    assert keys is not None  # noqa: S101 - `connection_to` has found them
    if isinstance(keys, RefreshableCredentials):
        return Boto3CredentialProvider(session, ttl=timedelta(0))
    kept: S3Credential = {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret_key,
        "token": keys.token,
        "expires_at": None,
    }
    return lambda: kept


@contextmanager
def _translate_read_errors() -> Iterator[None]:
    """Converts obstore's exceptions to ObjectMissing or StoreUnavailable."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing from error
    except (ObstoreError, OSError) as error:
        raise StoreUnavailable(first_line(error), advice=advice.on_read(str(error))) from error


def delete_versions(client: Any, bucket: str, key: ObjectKey, *, page_size: int = 1000) -> Kept | None:
    """Deletes every version of exactly this key. Returns why some stay, if they do. Raises boto3's errors.

    Delete markers are last, and stay if a version stays: without them, it would become the object again.
    """
    try:
        found = [entry for entry in _versions(client, bucket, key, page_size) if entry["Key"] == key]
        for entry in sorted(found, key=lambda entry: entry["is_marker"]):
            client.delete_object(Bucket=bucket, Key=key, VersionId=entry["VersionId"])
    except ClientError as error:
        if _LOCKED.search(str(error)):
            return Kept.LOCKED
        if error_code(error) != "AccessDenied":
            raise
        return Kept.NOT_PERMITTED
    return None


def _versions(client: Any, bucket: str, prefix: str, page_size: int) -> Iterator[dict[str, Any]]:
    """Versions and delete markers; `is_marker` tells which."""
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": page_size}
    )
    for page in pages:
        yield from ({**entry, "is_marker": False} for entry in page.get("Versions", ()))
        yield from ({**entry, "is_marker": True} for entry in page.get("DeleteMarkers", ()))


def _check_whole(missing_bytes: int) -> None:
    if missing_bytes:
        raise StoreUnavailable(f"The object store sent {missing_bytes} bytes less than requested.")


def _as_s3(headers: ObjectHeaders) -> dict[str, Any]:
    named = {
        "ContentType": headers.content_type,
        "ContentDisposition": headers.content_disposition,
        "CacheControl": headers.cache_control,
        "Metadata": dict(headers.metadata),
    }
    return {name: value for name, value in named.items() if value is not None}


def _check_stored(answer: dict[str, Any], md5_hex: str) -> None:
    """An ETag is the body's MD5, except under KMS encryption."""
    by_kms = answer.get("ServerSideEncryption", "AES256") != "AES256"
    if not by_kms and answer.get("ETag", "").strip('"') != md5_hex:
        raise StoreUnavailable("The object store stored other bytes than were sent to it.")


def _multipart_etag(in_order: list[Part]) -> str:
    """The ETag that S3 computes: the MD5 of the parts' MD5s, and their number."""
    digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in in_order)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(in_order)}"


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")
