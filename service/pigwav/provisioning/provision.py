"""Creates what the service needs on an S3 server: a bucket, and an access key that can do the service's work only."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from pigwav.errors import NotConfigured, StoreUnavailable
from pigwav.provisioning.least_privilege import Proof
from pigwav.provisioning.minio_admin import MinioUsers, Policy, open_users
from pigwav.provisioning.steps import State, Step
from pigwav.settings import ProvisionSettings, StoreSettings
from pigwav.store.boto import error_code, first_line, notes, open_client, translate_errors
from pigwav.store.connection import DEFAULT_REGION, connection_to
from pigwav.store.s3 import open_s3

ANSWER_WITHIN_S: Final = 30.0
_BETWEEN_TRIES_S: Final = 0.5
_UNKNOWN_KEY: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch")


@dataclass(frozen=True)
class Requirement:
    """Something that must exist. `fix` creates or corrects it and can be repeated."""

    what: str
    is_right: Callable[[], bool]
    fix: Callable[[], object]


class Provision:
    """`run` creates what is missing and tests the result; with `look_only` it changes nothing."""

    def __init__(
        self, store: StoreSettings, operator: ProvisionSettings, *, within_s: float = ANSWER_WITHIN_S
    ) -> None:
        """`within_s`: how long to wait for the server to start. Raises NotConfigured for missing or equal keys."""
        self._store, self._root = store, store.with_keys_of(operator)
        self._within_s = within_s
        self._bucket = store.bucket or ""
        self._key, self._secret = store.key_pair() or ("", "")
        needed = {
            "PIGWAV_S3_BUCKET": store.bucket,
            "PIGWAV_S3_ACCESS_KEY": store.access_key,
            "PIGWAV_PROVISION_ACCESS_KEY": operator.access_key,
            "PIGWAV_PROVISION_SECRET_KEY": operator.secret_key,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise NotConfigured(f"To provision a store, set {' and '.join(missing)}.")
        if store.access_key == operator.access_key:
            raise NotConfigured(
                "PIGWAV_S3_ACCESS_KEY is the operator's key: set another key for the service."
            )

    def run(self, *, look_only: bool = False) -> Iterator[Step]:
        """Yields each step as it is done: what is in place, what was created, what was tested.

        With `look_only`, the first requirement that does not hold ends the run. Raises NotConfigured, StoreUnavailable.
        """
        with closing(_client(self._root)) as root, closing(_client(self._store)) as service:
            self._wait_for(root)
            users = open_users(self._root)
            for requirement in self._requirements(root, service, users):
                if requirement.is_right():
                    yield Step(State.KEPT, requirement.what)
                elif look_only:
                    yield Step(State.WRONG, f"missing or different: {requirement.what}")
                    return
                else:
                    requirement.fix()
                    yield Step(State.MADE, requirement.what)
            if not _is_accepted(service):
                yield self._by_hand()
                return
            yield from self._warnings()
            proof = Proof(self._store, service, root, users)
            found = [*(proof.run_read_only() if look_only else proof.run_all())]
            yield from (Step(State.PROVEN if so else State.WRONG, what) for so, what in found)
            if users is None and not all(so for so, _ in found):
                yield self._by_hand()

    def _wait_for(self, root: Any) -> None:
        deadline = time.monotonic() + self._within_s
        while (trouble := _trouble(root)) is not None:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"The object store does not answer: {trouble}")
            time.sleep(_BETWEEN_TRIES_S)

    def _requirements(self, root: Any, service: Any, users: MinioUsers | None) -> Iterator[Requirement]:
        bucket, key = self._bucket, self._key
        yield Requirement(
            f"bucket {bucket}", lambda: _is_there(root, bucket), lambda: self._make_bucket(root)
        )
        if users is None:
            return
        policy, wanted = f"pigwav-{bucket}", minio_policy_for(bucket)
        yield Requirement(
            f"policy {policy}: the service's work in bucket {bucket} and nothing else",
            lambda: _statements(users.policy(policy)) == _statements(wanted),
            lambda: users.set_policy(policy, wanted),
        )
        yield Requirement(
            f"access key {key} with the secret of PIGWAV_S3_SECRET_KEY",
            lambda: _is_accepted(service),
            lambda: users.set_user(key, self._secret),
        )
        yield Requirement(
            f"policy {policy} on access key {key}, and no other",
            lambda: users.policies_of(key) == [policy],
            lambda: users.attach_only(policy, key),
        )

    def _make_bucket(self, root: Any) -> None:
        # AWS requires a LocationConstraint outside us-east-1. Other servers have only one region, with any name.
        region = connection_to(self._store).region
        elsewhere = not self._store.endpoint and region != DEFAULT_REGION
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
        with translate_errors():
            root.create_bucket(Bucket=self._bucket, **where)

    def _warnings(self) -> Iterator[Step]:
        """About a bucket that keeps deleted bytes, read with the operator's key."""
        with closing(open_s3(self._root)) as store:
            yield from (Step(State.WARNING, text) for text in store.retention().warnings(self._bucket))

    def _by_hand(self) -> Step:
        policy = json.dumps(policy_for(self._bucket), indent=2)
        return Step(
            State.TO_DO,
            "this server has no MinIO admin API. Use the server's own tools to give access key"
            f" {self._key} the secret of PIGWAV_S3_SECRET_KEY and this policy, then run this again\n{policy}",
        )


def policy_for(bucket: str) -> Policy:
    """A policy that allows exactly what the service does, in AWS's syntax, which other servers share.

    The service works without the permissions to read what the bucket keeps; `doctor` and `s3-check` need them.
    """
    whole = [
        "s3:GetBucketLocation",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ]
    inside = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": whole, "Resource": [f"arn:aws:s3:::{bucket}"]},
            {"Effect": "Allow", "Action": inside, "Resource": [f"arn:aws:s3:::{bucket}/*"]},
        ],
    }


def minio_policy_for(bucket: str) -> Policy:
    """`policy_for`, and a denial of the admin API: MinIO lets every user change their own secret and create more keys,
    unless that is denied.
    """
    policy = policy_for(bucket)
    return policy | {"Statement": [*policy["Statement"], {"Effect": "Deny", "Action": ["admin:*"]}]}


def _client(settings: StoreSettings) -> Any:
    return open_client(connection_to(settings), attempts=1)


def _trouble(root: Any) -> str | None:
    """Why the server cannot be used yet; None if it can. Raises NotConfigured if it does not know the key."""
    try:
        root.list_buckets()
    except ClientError as error:
        if error_code(error) in _UNKNOWN_KEY:
            raise NotConfigured(f"PIGWAV_PROVISION_ACCESS_KEY is refused: {first_line(error)}") from error
        starting = error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        return first_line(error) if starting else None
    except BotoCoreError as error:
        return " ".join([first_line(error), *notes(error)])
    return None


def _is_accepted(service: Any) -> bool:
    """Whether the server accepts this key and its secret, whatever their permissions."""
    with translate_errors():
        try:
            service.list_buckets()
        except ClientError as error:
            return error_code(error) not in _UNKNOWN_KEY
    return True


def _is_there(root: Any, bucket: str) -> bool:
    with translate_errors():
        try:
            root.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error_code(error) != "404":
                raise
            return False
    return True


def _statements(policy: Policy | None) -> set[tuple[str, frozenset[str], frozenset[str], str]]:
    """MinIO returns a policy's lists in another order, so policies are compared as sets. None has no statements."""
    return {
        (
            statement["Effect"],
            frozenset(statement["Action"]),
            frozenset(statement.get("Resource", ())),
            json.dumps(statement.get("Condition", {}), sort_keys=True),
        )
        for statement in (policy["Statement"] if policy else ())
    }
