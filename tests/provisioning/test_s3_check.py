"""`pigwav s3-check`: its findings on correct servers and on a faulty one."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr

from e2e.programs import Ended, run_pigwav
from fakes.s3_server import answering, fictional
from minio_server import MinioServer
from moto_server import MotoServer
from pigwav.provisioning.compatibility import SERVER, open_probe
from pigwav.provisioning.probe import Probe
from pigwav.settings import StoreSettings
from pigwav.store.advice import ON_REFUSAL
from pigwav.store.boto import open_client
from pigwav.store.connection import connection_to


@pytest.fixture(params=["embedded", "minio"])
def store(request: pytest.FixtureRequest) -> StoreSettings:
    if request.param == "embedded":
        settings: StoreSettings = request.getfixturevalue("s3_settings")
        return settings
    minio: MinioServer = request.getfixturevalue("minio")
    return minio.provisioned()


@pytest.fixture
def probe(s3_settings: StoreSettings) -> Iterator[Probe]:
    with open_probe(s3_settings) as opened:
        yield opened


def test_a_server_that_behaves_passes_and_is_left_as_it_was(store: StoreSettings) -> None:
    with open_probe(store) as probe:
        findings = [*probe.findings()]

        assert [finding for finding in findings if not finding.ok] == []
        assert len(findings) == 20
        assert [*probe.store.list("pigwav-s3-check/")] == []
        assert [u for u in probe.store.open_uploads() if u.key.startswith("pigwav-s3-check/")] == []


@dataclass
class Forgetful:
    """A server that loses Content-Disposition and ignores Content-MD5."""

    s3: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)

    def head_object(self, **asked: Any) -> dict[str, Any]:
        return {**self.s3.head_object(**asked), "ContentDisposition": "inline"}

    def put_object(self, **asked: Any) -> dict[str, Any]:
        del asked["ContentMD5"]
        answer: dict[str, Any] = self.s3.put_object(**asked)
        return answer


def test_each_misbehaviour_is_named_with_what_to_change(probe: Probe) -> None:
    findings = [*replace(probe, s3=Forgetful(probe.s3)).findings()]

    failed = {finding.behaviour: finding for finding in findings if not finding.ok}
    assert [*failed] == [
        "a body that does not fit its Content-MD5 is refused",
        "content type, disposition, cache control, metadata are kept",
        "a multipart object keeps its headers, too",
        "an object is copied with its headers",
        "an object is copied in parts with its headers",
    ]
    refused = failed["a body that does not fit its Content-MD5 is refused"]
    assert (refused.problem, refused.change) == ("the server stored it", SERVER)
    kept = failed["content type, disposition, cache control, metadata are kept"]
    assert kept.problem == "it differs: ContentDisposition"
    assert len(findings) == 20
    assert [*probe.store.list("pigwav-s3-check/")] == []


def test_a_server_that_trusts_every_body_is_named(moto: MotoServer) -> None:
    """moto ignores Content-MD5, and otherwise behaves like AWS."""
    with open_probe(moto.provisioned()) as probe:
        findings = [*probe.findings()]
        left = [*probe.store.list()], [*probe.store.open_uploads()]

    [failed] = [finding for finding in findings if not finding.ok]
    assert failed.behaviour == "a body that does not fit its Content-MD5 is refused"
    assert (failed.problem, failed.change) == ("the server stored it", SERVER)
    assert len(findings) == 20
    assert left == ([], [])


@pytest.mark.long
@pytest.mark.parametrize(
    ("action", "behaviours"),
    [
        (
            "s3:AbortMultipartUpload",
            [
                "a short part that is not the last is refused",
                "an upload may be aborted twice and leaves nothing",
            ],
        ),
        ("s3:DeleteObject", ["a deleted object is gone; deleting it again is harmless"]),
        ("s3:ListMultipartUploadParts", ["parts of an open upload are listed, and with gaps make an object"]),
    ],
)
def test_a_right_that_the_key_lacks_is_named_by_what_fails_without_it(
    moto: MotoServer, action: str, behaviours: list[str]
) -> None:
    store = moto.provisioned()
    moto.deny(store, action)

    with open_probe(store) as probe:
        findings = [*probe.findings()]

    refused = {f.behaviour: f.change for f in findings if not f.ok and "AccessDenied" in (f.problem or "")}
    assert [*refused] == behaviours
    assert refused[behaviours[-1]] == ON_REFUSAL["AccessDenied"]


def test_where_the_bucket_does_not_answer_nothing_else_is_tried(s3_settings: StoreSettings) -> None:
    with open_probe(s3_settings.model_copy(update={"secret_key": SecretStr("wrong")})) as probe:
        [finding] = probe.findings()

    assert "SignatureDoesNotMatch" in finding.problem
    assert "PIGWAV_S3_SECRET_KEY" in finding.change


VERSIONED = {"Status": "Enabled"}


@pytest.mark.long
def test_a_versioned_bucket_is_left_without_versions_and_warned_about(moto: MotoServer) -> None:
    settings = moto.provisioned()
    moto.s3.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration=VERSIONED)
    moto.allow_more(settings, "s3:DeleteObjectVersion")

    with open_probe(settings) as probe:
        findings = [*probe.findings()]
        [warning] = probe.warnings()

    assert (len(findings), probe.left) == (20, [])
    assert "mc ilm rule add" in warning
    assert {*moto.s3.list_object_versions(Bucket=settings.bucket)}.isdisjoint({"Versions", "DeleteMarkers"})


def test_where_versions_would_stay_nothing_is_stored(moto: MotoServer) -> None:
    settings = moto.provisioned()
    moto.s3.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration=VERSIONED)

    with open_probe(settings) as probe:
        [answers, stays] = probe.findings()

    assert (answers.ok, stays.ok, probe.left) == (True, False, [])
    assert "s3:DeleteObjectVersion" in stays.change
    assert {*moto.s3.list_object_versions(Bucket=settings.bucket)}.isdisjoint({"Versions", "DeleteMarkers"})


def test_where_objects_are_locked_nothing_is_stored(minio: MinioServer) -> None:
    settings = minio.unprovisioned().with_keys_of(minio.operator)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    with closing(open_client(connection_to(settings), attempts=1)) as root:
        root.create_bucket(Bucket=settings.bucket, ObjectLockEnabledForBucket=True)
        root.put_object_lock_configuration(
            Bucket=settings.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
        with open_probe(settings) as probe:
            [_, stays] = probe.findings()

        assert "object lock keeps objects for 30 days (COMPLIANCE)" in stays.problem
        assert "Versions" not in root.list_object_versions(Bucket=settings.bucket)


@pytest.mark.parametrize("after", [2, pytest.param(16, marks=pytest.mark.long)])
def test_one_who_stops_early_leaves_nothing(moto: MotoServer, after: int) -> None:
    """As with Ctrl-C, which closes the generator."""
    settings = moto.provisioned()
    with open_probe(settings) as probe:
        with closing(probe.findings()) as findings:
            for _ in range(after):
                next(findings)
        assert probe.left == []

    assert moto.s3.list_objects_v2(Bucket=settings.bucket)["KeyCount"] == 0
    assert "Uploads" not in moto.s3.list_multipart_uploads(Bucket=settings.bucket)


def test_what_cannot_be_removed_is_told_and_does_not_stop_the_rest(moto: MotoServer) -> None:
    settings = moto.provisioned()
    moto.deny(settings, "s3:AbortMultipartUpload")
    with open_probe(settings) as probe, closing(probe.findings()) as findings:
        for finding in findings:
            if finding.behaviour.startswith("open uploads are listed"):
                break

    begun = moto.s3.list_multipart_uploads(Bucket=settings.bucket)["Uploads"]
    assert len(probe.left) == len(begun) > 0
    assert all("AccessDenied" in line for line in probe.left)
    assert moto.s3.list_objects_v2(Bucket=settings.bucket)["KeyCount"] == 0


def test_a_wrong_region_is_named_with_the_right_one() -> None:
    error = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>No.</Message><Region>eu-west-9</Region></Error>"
    answer = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {len(error)}\r\n\r\n{error}"

    with answering(lambda _: answer.encode()) as endpoint, open_probe(fictional(endpoint)) as probe:
        [finding] = probe.findings()

    assert (finding.ok, finding.problem) == (False, "The bucket is in the region eu-west-9.")
    assert finding.change == "Set PIGWAV_S3_REGION=eu-west-9; now it is us-east-1."


def run_s3_check(store: StoreSettings, *options: str) -> Ended:
    assert store.secret_key
    return run_pigwav(
        "s3-check",
        *options,
        PIGWAV_S3_ENDPOINT=store.endpoint,
        PIGWAV_S3_BUCKET=store.bucket,
        PIGWAV_S3_ACCESS_KEY=store.access_key,
        PIGWAV_S3_SECRET_KEY=store.secret_key.get_secret_value(),
    )


def test_the_command_tells_people_and_programs(s3_settings: StoreSettings) -> None:
    told = run_s3_check(s3_settings)
    asked = run_s3_check(s3_settings, "--json")

    assert (told.returncode, told.stderr) == (0, "")
    assert "This server does all that the service needs." in told.stdout
    assert (asked.returncode, asked.stderr) == (0, "")
    findings = json.loads(asked.stdout)["findings"]
    assert all(finding["ok"] and finding["took_ms"] > 0 for finding in findings)
    for finding in findings:
        assert finding["behaviour"] in told.stdout


def test_an_endpoint_given_on_the_command_line_is_the_one_that_is_tried(s3_settings: StoreSettings) -> None:
    ended = run_s3_check(s3_settings, "--endpoint", "http://127.0.0.1:1")

    assert ended.returncode == 1
    assert ended.stdout.startswith("FAILED")
    assert "PIGWAV_S3_ENDPOINT" in ended.stdout
    assert ended.stderr == "pigwav: The object store does not do all that the service needs.\n"
