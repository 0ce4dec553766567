"""`pigwav provision` on a real MinIO, and on a server without MinIO's admin API."""

import json
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from minio import MinioAdmin
from minio.credentials import StaticProvider
from pydantic import SecretStr

from e2e.programs import Ended, run_pigwav
from fakes.s3_server import answering, fictional, xml_error
from minio_server import ROOT_KEY, ROOT_SECRET, MinioServer
from pigwav.errors import NotConfigured, StoreUnavailable
from pigwav.provisioning.least_privilege import Proof
from pigwav.provisioning.minio_admin import MinioUsers
from pigwav.provisioning.provision import Provision, State, Step, policy_for
from pigwav.settings import ProvisionSettings, StoreSettings
from pigwav.store.retention import RULE

PROVEN_BY_TRYING = 21


@pytest.fixture
def store(minio: MinioServer) -> StoreSettings:
    return minio.unprovisioned()


@pytest.fixture
def users(minio: MinioServer, store: StoreSettings) -> MinioUsers:
    """The admin API with the operator's key."""
    return MinioUsers(store.with_keys_of(minio.operator))


def provision(store: StoreSettings, minio: MinioServer, *, look_only: bool = False) -> list[Step]:
    return [*Provision(store, minio.operator).run(look_only=look_only)]


def whats(steps: list[Step], state: State) -> list[str]:
    return [step.what for step in steps if step.state is state]


def client(settings: StoreSettings) -> Any:
    access_key, secret_key = settings.key_pair() or (None, None)
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def buckets(s3: Any) -> list[str]:
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def in_group_with(minio: MinioServer, store: StoreSettings, policy: str) -> None:
    """Adds a policy to the store's key through a group."""
    host = minio.endpoint.removeprefix("http://")
    admin = MinioAdmin(endpoint=host, credentials=StaticProvider(ROOT_KEY, ROOT_SECRET), secure=False)
    admin.group_add(store.bucket, [store.access_key])
    admin.attach_policy([policy], group=store.bucket)


class TestOnMinio:
    def test_it_makes_bucket_policy_and_key_and_proves_them(
        self, minio: MinioServer, store: StoreSettings
    ) -> None:
        steps = provision(store, minio)

        assert [step.state for step in steps] == [State.MADE] * 4 + [State.PROVEN] * PROVEN_BY_TRYING
        assert f"bucket {store.bucket}" in whats(steps, State.MADE)
        proven = whats(steps, State.PROVEN)
        assert {"works: put an object in parts", "works: list open uploads and abort one"} <= {*proven}
        assert {
            "refused: list another bucket",
            "refused: read another bucket's object",
            "refused: create a bucket",
            "refused: list the bucket without a key",
            "refused: make a user",
            "refused: make a second key for itself",
        } <= {*proven}

    def test_a_second_run_changes_nothing(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)

        assert whats(provision(store, minio), State.MADE) == []

    def test_the_proof_leaves_nothing_behind(
        self, minio: MinioServer, store: StoreSettings, users: MinioUsers
    ) -> None:
        provision(store, minio)

        root = client(store.with_keys_of(minio.operator))
        assert root.list_objects_v2(Bucket=store.bucket)["KeyCount"] == 0
        assert [name for name in buckets(root) if "probe" in name] == []
        assert [name for name in users.names() if "probe" in name] == []

    def test_what_is_stored_stays(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)
        client(store).put_object(Bucket=store.bucket, Key="recordings/1.mp3", Body=b"mp3")

        provision(store, minio)

        assert client(store).get_object(Bucket=store.bucket, Key="recordings/1.mp3")["Body"].read() == b"mp3"

    def test_a_new_secret_replaces_the_old_one(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)
        rotated = store.model_copy(update={"secret_key": SecretStr("another secret")})

        made = whats(provision(rotated, minio), State.MADE)

        assert made == [f"access key {store.access_key} with the secret of PIGWAV_S3_SECRET_KEY"]
        with pytest.raises(client(store).exceptions.ClientError, match="SignatureDoesNotMatch"):
            client(store).list_buckets()

    def test_rights_that_were_added_are_taken_back(
        self, minio: MinioServer, store: StoreSettings, users: MinioUsers
    ) -> None:
        provision(store, minio)
        users.attach_only("readwrite", store.access_key)

        made = whats(provision(store, minio), State.MADE)

        assert made == [f"policy pigwav-{store.bucket} on access key {store.access_key}, and no other"]

    def test_a_policy_that_was_widened_is_narrowed(
        self, minio: MinioServer, store: StoreSettings, users: MinioUsers
    ) -> None:
        provision(store, minio)
        wide = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        users.set_policy(f"pigwav-{store.bucket}", {"Version": "2012-10-17", "Statement": [wide]})

        steps = provision(store, minio)

        assert len(whats(steps, State.MADE)) == 1
        assert whats(steps, State.WRONG) == []

    def test_a_versioned_bucket_is_warned_about_until_a_rule_removes_old_versions(
        self, minio: MinioServer, store: StoreSettings
    ) -> None:
        provision(store, minio)
        root = client(store.with_keys_of(minio.operator))
        root.put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})

        [warning] = whats(provision(store, minio), State.WARNING)
        assert (
            f"mc ilm rule add --noncurrent-expire-days 1 --expire-delete-marker ALIAS/{store.bucket}"
            in warning
        )
        assert whats(provision(store, minio, look_only=True), State.WARNING) == [warning]
        assert "DeleteMarkers" not in root.list_object_versions(Bucket=store.bucket), (
            "the proof's are removed"
        )

        root.put_bucket_lifecycle_configuration(Bucket=store.bucket, LifecycleConfiguration={"Rules": [RULE]})
        assert whats(provision(store, minio), State.WARNING) == []


class TestTheProof:
    """It fails if the key has other permissions because of a group or the bucket's policy, which set-up ignores."""

    @pytest.fixture
    def too_much(self, minio: MinioServer, store: StoreSettings) -> StoreSettings:
        provision(store, minio)
        in_group_with(minio, store, "readwrite")
        return store

    def test_a_key_that_may_less_is_wrong_and_what_it_could_not_undo_is_undone(
        self, minio: MinioServer, store: StoreSettings, users: MinioUsers
    ) -> None:
        provision(store, minio)
        denied = {"Effect": "Deny", "Action": ["s3:AbortMultipartUpload"], "Resource": ["arn:aws:s3:::*"]}
        users.set_policy("never-abort", {"Version": "2012-10-17", "Statement": [denied]})
        in_group_with(minio, store, "never-abort")

        [wrong] = whats(provision(store, minio), State.WRONG)

        assert wrong.startswith("fails: list open uploads and abort one: ")
        root = client(store.with_keys_of(minio.operator))
        assert "Uploads" not in root.list_multipart_uploads(Bucket=store.bucket)
        assert root.list_objects_v2(Bucket=store.bucket)["KeyCount"] == 0

    def test_a_key_that_may_more_is_wrong(self, minio: MinioServer, too_much: StoreSettings) -> None:
        wrong = whats(provision(too_much, minio), State.WRONG)

        assert {
            "not refused: list another bucket",
            "not refused: read another bucket's object",
            "not refused: write to another bucket",
            "not refused: create a bucket",
        } <= {*wrong}

    def test_what_it_could_do_is_undone(self, minio: MinioServer, too_much: StoreSettings) -> None:
        provision(too_much, minio)

        names = buckets(client(too_much.with_keys_of(minio.operator)))
        assert too_much.bucket in names
        assert [name for name in names if "probe" in name] == []

    def test_looking_finds_it_as_well(self, minio: MinioServer, too_much: StoreSettings) -> None:
        minio.provisioned()  # another bucket, for the proof

        wrong = whats(provision(too_much, minio, look_only=True), State.WRONG)

        assert "not refused: list another bucket" in wrong

    def test_a_bucket_that_is_open_to_all_is_wrong(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)
        everybody = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{store.bucket}", f"arn:aws:s3:::{store.bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        client(store.with_keys_of(minio.operator)).put_bucket_policy(Bucket=store.bucket, Policy=policy)

        assert whats(provision(store, minio), State.WRONG) == [
            "not refused: list the bucket without a key",
            "not refused: read an object without a key",
        ]


class TestLookingOnly:
    def test_it_makes_nothing(self, minio: MinioServer, store: StoreSettings, users: MinioUsers) -> None:
        steps = provision(store, minio, look_only=True)

        assert steps == [Step(State.WRONG, f"missing or different: bucket {store.bucket}")]
        assert store.bucket not in buckets(client(store.with_keys_of(minio.operator)))
        assert store.access_key not in users.names()

    def test_it_names_what_differs(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)
        other = store.model_copy(update={"secret_key": SecretStr("another secret")})

        steps = provision(other, minio, look_only=True)

        assert steps[-1].state is State.WRONG
        assert f"access key {store.access_key}" in steps[-1].what

    def test_what_is_provisioned_is_right(self, minio: MinioServer, store: StoreSettings) -> None:
        provision(store, minio)

        assert {step.state for step in provision(store, minio, look_only=True)} == {State.KEPT, State.PROVEN}


class TestElsewhere:
    def test_without_the_admin_api_it_prints_the_policy(self, s3_settings: StoreSettings) -> None:
        """On the embedded SeaweedFS, whose only key takes the operator's place."""
        operator = ProvisionSettings(access_key=s3_settings.access_key, secret_key=s3_settings.secret_key)
        service = s3_settings.model_copy(update={"access_key": "not-made-yet"})

        steps = [*Provision(service, operator).run()]

        assert [step.state for step in steps] == [State.KEPT, State.TO_DO]
        printed = steps[1].what.partition("\n")[2]
        assert json.loads(printed) == policy_for(s3_settings.bucket)

    def test_the_proof_works_there_as_well(self, s3_settings: StoreSettings) -> None:
        """The embedded SeaweedFS limits the key to one bucket, but lets any client read the bucket's policy."""
        with closing(client(s3_settings)) as service:
            found = [*Proof(s3_settings, service, service, None).run_read_only()]

        assert (True, "refused: list the bucket without a key") in found
        [wrong] = [what for so, what in found if not so]
        assert "read the bucket's policy" in wrong

    def test_a_server_that_never_answers_is_unavailable(self, store: StoreSettings) -> None:
        away = store.model_copy(update={"endpoint": "http://127.0.0.1:1"})
        operator = ProvisionSettings(access_key="operator", secret_key=SecretStr("secret"))

        with pytest.raises(StoreUnavailable, match="does not answer"):
            next(Provision(away, operator, within_s=0).run())

    def test_a_server_that_is_still_starting_is_waited_for(self) -> None:
        answers = [xml_error(503, "XMinioServerNotInitialized"), xml_error(403, "InvalidAccessKeyId")]
        operator = ProvisionSettings(access_key="operator", secret_key=SecretStr("secret"))

        with (
            answering(lambda _: answers.pop(0)) as endpoint,
            pytest.raises(NotConfigured, match="is refused"),
        ):
            next(Provision(fictional(endpoint), operator).run())
        assert answers == []


def operator_of(settings: StoreSettings) -> ProvisionSettings:
    return ProvisionSettings(access_key=settings.access_key, secret_key=settings.secret_key)


class TestWrongKeys:
    def test_an_operators_key_that_is_unknown_is_named(self, store: StoreSettings) -> None:
        wrong = ProvisionSettings(access_key=ROOT_KEY, secret_key=SecretStr("wrong"))

        with pytest.raises(NotConfigured, match="PIGWAV_PROVISION_ACCESS_KEY is refused"):
            next(Provision(store, wrong).run())

    def test_an_operators_key_without_rights_is_named(self, minio: MinioServer, store: StoreSettings) -> None:
        powerless = operator_of(minio.provisioned())

        with pytest.raises(NotConfigured, match="PIGWAV_PROVISION_ACCESS_KEY has no administrator rights"):
            next(Provision(store, powerless).run())

    def test_the_operators_key_is_not_the_services(self, store: StoreSettings) -> None:
        with pytest.raises(NotConfigured, match="another key"):
            Provision(store, operator_of(store))

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(NotConfigured, match="PIGWAV_S3_BUCKET and PIGWAV_S3_ACCESS_KEY and PIGWAV_PROV"):
            Provision(StoreSettings(), ProvisionSettings())

    def test_a_secret_that_minio_refuses_is_told(self, minio: MinioServer, store: StoreSettings) -> None:
        short = store.model_copy(update={"secret_key": SecretStr("short")})

        with pytest.raises(StoreUnavailable, match="secret key"):
            provision(short, minio)


def run_provision(store: StoreSettings, *options: str) -> Ended:
    assert store.secret_key
    return run_pigwav(
        "provision",
        *options,
        PIGWAV_S3_ENDPOINT=store.endpoint,
        PIGWAV_S3_PUBLIC_ENDPOINT="https://s3.example.org",
        PIGWAV_S3_BUCKET=store.bucket,
        PIGWAV_S3_ACCESS_KEY=store.access_key,
        PIGWAV_S3_SECRET_KEY=store.secret_key.get_secret_value(),
        PIGWAV_PROVISION_ACCESS_KEY=ROOT_KEY,
        PIGWAV_PROVISION_SECRET_KEY=ROOT_SECRET,
    )


def test_the_command_says_what_it_changed_and_no_secret(store: StoreSettings) -> None:
    looked = run_provision(store, "--check")
    first, second, checked = run_provision(store), run_provision(store), run_provision(store, "--check")

    assert (looked.returncode, len(looked.stderr.splitlines())) == (1, 1)
    assert first.stdout.startswith(f"made    bucket {store.bucket}\n")
    found = f"S3 tools find the bucket {store.bucket} at https://s3.example.org.\n"
    assert first.stdout.endswith(f"Changes: 4.\n{found}")
    assert second.stdout.endswith(f"Nothing had to be changed.\n{found}")
    assert [(ended.returncode, ended.stderr) for ended in (first, second, checked)] == [(0, "")] * 3
    for ended in (looked, first, second, checked):
        assert store.secret_key.get_secret_value() not in ended.stdout
        assert ROOT_SECRET not in ended.stdout
