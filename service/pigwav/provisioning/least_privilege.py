"""Tests that the service's access key can do the service's work and nothing else."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError, StoreUnavailable
from pigwav.provisioning.minio_admin import MinioUsers, is_refusal
from pigwav.settings import StoreSettings
from pigwav.store.base import PART_BYTES, ObjectHeaders
from pigwav.store.boto import first_line, open_client, translate_errors
from pigwav.store.connection import connection_to
from pigwav.store.s3 import S3Store, delete_versions, open_s3

Result: TypeAlias = tuple[bool, str]
"""Whether the test passed, and what was found."""

Trial: TypeAlias = tuple[str, Callable[[], object]]

_BODY: Final = b"pigwav provision"
_HEADERS: Final = ObjectHeaders(content_type="text/plain")


class Proof:
    """`service` is a client with the key to test. `root` and `users` have the operator's key: they create the test
    objects and undo actions that should have been refused.
    """

    def __init__(self, store: StoreSettings, service: Any, root: Any, users: MinioUsers | None) -> None:
        self._settings = store
        self._bucket = store.bucket or ""
        self._service, self._root, self._users = service, root, users
        self._name = f"pigwav-probe-{secrets.token_hex(3)}"  # 19 characters: an access key has at most 20
        self._key = ObjectKey(f"{self._name}/a")
        self._anybody = open_client(connection_to(store), attempts=1, signed=False)
        self._admin = MinioUsers(store) if users else None

    def run_all(self) -> Iterator[Result]:
        """Tests under its own prefix and on its own second bucket; leaves nothing behind."""
        with closing(open_s3(self._settings)) as store:
            yield from map(_can, self._work(store))
            with self._put_by_root(), self._other_bucket() as other, self._undoing():
                yield from map(_cannot, [*self._looks(), *self._looks_at(other), *self._changes(other)])

    def run_read_only(self) -> Iterator[Result]:
        """The tests that change nothing: they only read what exists."""
        with closing(open_s3(self._settings)) as store:
            yield from map(
                _can,
                [
                    ("reach the bucket", store.check),
                    ("list the bucket", lambda: any(store.list())),
                    ("read a byte of an object, if there is one", lambda: _read_a_byte(store)),
                ],
            )
        with translate_errors():
            names = [bucket["Name"] for bucket in self._root.list_buckets()["Buckets"]]
        others = [name for name in names if name != self._bucket]
        yield from map(_cannot, self._looks())
        for other in others[:1]:
            yield from map(_cannot, self._looks_at(other))

    def _work(self, store: S3Store) -> list[Trial]:
        """The calls that the service makes, as it makes them."""
        return [
            ("reach the bucket", store.check),
            ("put an object", lambda: store.put(self._key, _BODY, _HEADERS)),
            ("get an object", lambda: [*store.read_blocking(self._key, 0, len(_BODY))]),
            ("see an object's size", lambda: store.stat(self._key)),
            ("put an object in parts", lambda: _put_in_parts(store, self._key)),
            ("list open uploads and abort one", lambda: _begin_and_abort(store, self._key)),
            ("list objects and delete them", lambda: _delete_all(store, self._name)),
        ]

    def _looks(self) -> Iterator[Trial]:
        """Reads that must be refused. If anybody may list the bucket, every link is public."""
        yield "list the bucket without a key", lambda: self._anybody.list_objects_v2(Bucket=self._bucket)
        yield "read the bucket's policy", lambda: self._service.get_bucket_policy(Bucket=self._bucket)
        if admin := self._admin:
            yield "list users", admin.names
            yield "read a policy", lambda: admin.policy(f"pigwav-{self._bucket}")

    def _looks_at(self, other: str) -> Iterator[Trial]:
        yield "list another bucket", lambda: self._service.list_objects_v2(Bucket=other)
        yield "read another bucket's object", lambda: self._service.get_object(Bucket=other, Key=self._key)

    def _changes(self, other: str) -> Iterator[Trial]:
        s3, name, own = self._service, self._name, self._bucket
        yield "read an object without a key", lambda: self._anybody.get_object(Bucket=own, Key=self._key)
        yield "write to another bucket", lambda: s3.put_object(Bucket=other, Key=f"{name}/b", Body=_BODY)
        yield "delete another bucket's object", lambda: s3.delete_object(Bucket=other, Key=self._key)
        yield "create a bucket", lambda: s3.create_bucket(Bucket=f"{name}-b")
        yield "delete the bucket", lambda: s3.delete_bucket(Bucket=own)  # safe: the bucket is not empty
        if admin := self._admin:
            key, secret = self._settings.key_pair() or ("", "")
            yield "make a user", lambda: admin.set_user(name, secret)
            yield "make a second key for itself", lambda: admin.add_service_account(f"{name}2", secret)
            yield "set its own secret", lambda: admin.set_user(key, secret)

    @contextmanager
    def _put_by_root(self) -> Iterator[None]:
        """Puts an object into the service's bucket during the block."""
        with translate_errors():
            self._root.put_object(Bucket=self._bucket, Key=self._key, Body=_BODY)
            try:
                yield
            finally:
                where = {"Bucket": self._bucket, "Key": self._key}
                if "DeleteMarker" in self._root.delete_object(**where):
                    delete_versions(self._root, self._bucket, self._key)
                # A key that may begin multipart uploads but not list or abort them has left some open.
                begun = self._root.list_multipart_uploads(Bucket=self._bucket, Prefix=self._key)
                for upload in begun.get("Uploads", ()):
                    self._root.abort_multipart_upload(**where, UploadId=upload["UploadId"])

    @contextmanager
    def _other_bucket(self) -> Iterator[str]:
        """The operator's own bucket with an object in it, during the block."""
        with translate_errors():
            self._root.create_bucket(Bucket=self._name)
            try:
                self._root.put_object(Bucket=self._name, Key=self._key, Body=_BODY)
                yield self._name
            finally:
                for key in (self._key, f"{self._name}/b"):
                    self._root.delete_object(Bucket=self._name, Key=key)
                self._root.delete_bucket(Bucket=self._name)

    @contextmanager
    def _undoing(self) -> Iterator[None]:
        """Removes what a key with too many permissions has created."""
        try:
            yield
        finally:
            with suppress(ClientError):  # normally it does not exist
                self._root.delete_bucket(Bucket=f"{self._name}-b")
            if self._users:
                for remove, name in (
                    (self._users.remove_service_account, f"{self._name}2"),
                    (self._users.remove_user, self._name),
                ):
                    with suppress(StoreUnavailable):
                        remove(name)


def _can(trial: Trial) -> Result:
    what, run = trial
    try:
        run()
    except PigWavError as error:
        return False, f"fails: {what}: {error}"
    return True, f"works: {what}"


def _cannot(trial: Trial) -> Result:
    """A trial that must be refused. It passes only if the refusal is explicit."""
    what, run = trial
    try:
        run()
    except (ClientError, BotoCoreError, StoreUnavailable) as error:
        if isinstance(error, ClientError):
            is_no = error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.FORBIDDEN
        else:
            is_no = isinstance(error, StoreUnavailable) and is_refusal(error)
        if is_no:
            return True, f"refused: {what}"
        return False, f"not clear whether refused: {what}: {first_line(error)}"
    return False, f"not refused: {what}"


def _put_in_parts(store: S3Store, key: ObjectKey) -> None:
    upload = store.begin_multipart(key, _HEADERS)
    for number, body in ((2, _BODY), (1, bytes(PART_BYTES))):
        store.put_part(key, upload, number, body)
    store.complete_multipart(key, upload, store.parts(key, upload))  # `doctor --fix` lists them


def _read_a_byte(store: S3Store) -> None:
    """Through the driver that reads; the others are made through the one that writes."""
    found = next((each for each in store.list() if each.size_bytes), None)
    if found:
        for _ in store.read_blocking(found.key, 0, 1):
            pass


def _begin_and_abort(store: S3Store, key: ObjectKey) -> None:
    begun = store.begin_multipart(key, _HEADERS)
    found = [upload.upload_id for upload in store.open_uploads(key)]
    store.abort_multipart(key, begun)
    if begun not in found:
        raise StoreUnavailable("The open upload is not listed.")


def _delete_all(store: S3Store, prefix: str) -> None:
    found = [*store.list(prefix)]
    for each in found:
        store.delete(each.key)
    if not found:
        raise StoreUnavailable("The object is not listed.")
