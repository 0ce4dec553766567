"""`pigwav provision` on AWS, simulated by moto: IAM manages keys and policies; there is no MinIO admin API."""

import json

import pytest

from moto_server import MotoServer
from pigwav.provisioning.provision import Provision, policy_for
from pigwav.provisioning.steps import State, Step

PROVEN_BY_TRYING = 15
"""Without the five checks of MinIO's admin API, and without NOT_CLEAR."""

NOT_CLEAR = "not clear whether refused: list the bucket without a key"
"""AWS returns AccessDenied. moto expects a signature and returns 500."""


def whats(steps: list[Step], state: State) -> list[str]:
    return [step.what for step in steps if step.state is state]


def buckets(moto: MotoServer) -> list[str]:
    return [bucket["Name"] for bucket in moto.s3.list_buckets()["Buckets"]]


def test_it_makes_the_bucket_and_prints_the_policy(moto: MotoServer) -> None:
    store = moto.unprovisioned()

    [bucket, by_hand] = Provision(store, moto.operator).run()

    assert bucket == Step(State.MADE, f"bucket {store.bucket}")
    assert by_hand.state is State.TO_DO
    assert json.loads(by_hand.what.partition("\n")[2]) == policy_for(store.bucket)


def test_a_key_with_the_printed_policy_is_proven(moto: MotoServer) -> None:
    store = moto.provisioned()

    steps = [*Provision(store, moto.operator).run()]

    assert whats(steps, State.KEPT) == [f"bucket {store.bucket}"]
    assert len(whats(steps, State.PROVEN)) == PROVEN_BY_TRYING
    [unclear] = whats(steps, State.WRONG)
    assert unclear.startswith(NOT_CLEAR)
    assert moto.s3.list_objects_v2(Bucket=store.bucket)["KeyCount"] == 0
    assert [name for name in buckets(moto) if "probe" in name] == []


def test_a_key_that_may_more_is_wrong_and_what_it_could_do_is_undone(moto: MotoServer) -> None:
    store = moto.provisioned()
    moto.allow_more(store, "s3:*")

    wrong = whats([*Provision(store, moto.operator).run()], State.WRONG)

    assert {
        "not refused: list another bucket",
        "not refused: read another bucket's object",
        "not refused: write to another bucket",
        "not refused: delete another bucket's object",
        "not refused: create a bucket",
    } <= {*wrong}
    assert [name for name in buckets(moto) if "probe" in name] == []


def test_a_key_that_may_less_is_wrong(moto: MotoServer) -> None:
    store = moto.provisioned()
    moto.deny(store, "s3:AbortMultipartUpload")

    [wrong, _] = whats([*Provision(store, moto.operator).run()], State.WRONG)

    assert wrong.startswith("fails: list open uploads and abort one: ")
    assert "Uploads" not in moto.s3.list_multipart_uploads(Bucket=store.bucket)


def test_looking_reads_a_byte_of_what_is_there(moto: MotoServer) -> None:
    store = moto.provisioned()
    reads = "read a byte of an object, if there is one"
    assert f"works: {reads}" in whats([*Provision(store, moto.operator).run(look_only=True)], State.PROVEN)

    moto.seed(store, {"recordings/1/a.mp3": b"mp3"})
    assert f"works: {reads}" in whats([*Provision(store, moto.operator).run(look_only=True)], State.PROVEN)

    moto.deny(store, "s3:GetObject")
    wrong = whats([*Provision(store, moto.operator).run(look_only=True)], State.WRONG)
    assert any(what.startswith(f"fails: {reads}: ") for what in wrong)


def test_a_bucket_outside_the_first_region_is_made_in_its_own(
    moto: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS refuses CreateBucket without a region, except in us-east-1."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    store = moto.unprovisioned().model_copy(update={"endpoint": None, "region": "eu-central-1"})

    made = next(Provision(store, moto.operator).run())

    assert made.state is State.MADE
    assert moto.s3.get_bucket_location(Bucket=store.bucket)["LocationConstraint"] == "eu-central-1"
