"""moto: AWS's S3 and IAM in memory, served over HTTP by a thread of the test process."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import boto3
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from pigwav.provisioning.minio_admin import Policy
from pigwav.provisioning.provision import policy_for
from pigwav.settings import ProvisionSettings, StoreSettings

EVERYTHING: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
REQUEST_LOGGER: Final = "werkzeug"
"""The logger of moto's HTTP server: one INFO line per request, before the response is sent."""


@dataclass(frozen=True)
class MotoServer:
    """As on AWS, each request needs a valid signature and an IAM policy that allows it."""

    endpoint: str
    operator: ProvisionSettings
    """A key with every right."""
    s3: Any
    iam: Any
    """boto3's clients with that key. Any: boto3 makes their methods at run time."""

    def provisioned(self) -> StoreSettings:
        """A new bucket, and a key with the policy that `pigwav provision` prints."""
        settings = self.unprovisioned()
        self.s3.create_bucket(Bucket=settings.bucket)
        return self.with_user(settings)

    def unprovisioned(self) -> StoreSettings:
        """Settings with a unique bucket and key that do not exist yet."""
        name = f"pigwav-{uuid4().hex[:8]}"
        return StoreSettings(
            endpoint=self.endpoint, bucket=name, access_key=name, secret_key=SecretStr("service-secret")
        )

    def with_user(self, settings: StoreSettings) -> StoreSettings:
        """The same settings with the key of a new user, named like the bucket. IAM chooses the key."""
        policy = policy_for(settings.bucket or "")
        # AWS lets HeadBucket pass with s3:ListBucket; moto wants an action of that name, which AWS does not have.
        head = {"Effect": "Allow", "Action": "s3:HeadBucket", "Resource": f"arn:aws:s3:::{settings.bucket}"}
        statements = [*policy["Statement"], head]
        access_key, secret_key = _make_user(
            self.iam, settings.bucket or "", policy | {"Statement": statements}
        )
        return settings.model_copy(update={"access_key": access_key, "secret_key": SecretStr(secret_key)})

    def deny(self, settings: StoreSettings, *actions: str) -> None:
        """Denies the key of `settings` these actions (such as "s3:PutObject") on all resources."""
        _attach(self.iam, settings.bucket, "denied", _everywhere("Deny", *actions))

    def allow_more(self, settings: StoreSettings, *actions: str) -> None:
        """Allows the key of `settings` these actions on all resources."""
        _attach(self.iam, settings.bucket, "more", _everywhere("Allow", *actions))

    def allow(self, settings: StoreSettings) -> None:
        """Removes what `deny` has denied."""
        self.iam.delete_user_policy(UserName=settings.bucket, PolicyName="denied")

    def seed(self, settings: StoreSettings, objects: Mapping[str, bytes]) -> None:
        """Stores the objects without HTTP: thousands per second."""
        backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        for key, body in objects.items():
            backend.put_object(settings.bucket or "", key, body)


def _make_user(iam: Any, name: str, policy: Policy) -> tuple[str, str]:
    """Access key and secret key of a new user with this policy."""
    iam.create_user(UserName=name)
    _attach(iam, name, "allowed", policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def _attach(iam: Any, user: str | None, name: str, policy: Policy) -> None:
    iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(policy))


def _everywhere(effect: str, *actions: str) -> Policy:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": [*actions], "Resource": "*"}]}


@contextmanager
def serving_moto() -> Iterator[MotoServer]:
    """Starts an empty server. moto's state is global to the process: run one server at a time."""
    logging.getLogger(REQUEST_LOGGER).setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        # Before authentication is enabled, any key works.
        anybody = boto3.Session("any", "any", region_name="us-east-1")
        key, secret = _make_user(
            anybody.client("iam", endpoint_url=endpoint), "operator", _everywhere("Allow", "*")
        )
        operators = boto3.Session(key, secret, region_name="us-east-1")
        with enable_iam_authentication():
            yield MotoServer(
                endpoint,
                ProvisionSettings(access_key=key, secret_key=SecretStr(secret)),
                s3=operators.client("s3", endpoint_url=endpoint),
                iam=operators.client("iam", endpoint_url=endpoint),
            )
    finally:
        server.stop()
        for service in ("s3", "iam"):
            get_backend(service)[DEFAULT_ACCOUNT_ID]["aws"].reset()  # closes the files of larger objects
