"""`strict` turns warnings about the sound into a refusal that leaves nothing."""

import pytest

from accounts import Account
from factories import wav
from problem_assertions import assert_problem
from serving import ServedApi
from traces import Traces

SILENT = wav(seconds=1, content="silence")


@pytest.mark.parametrize("strict", ["silent", "clipped, silent ,", "silent,channels-identical"])
def test_a_recording_with_a_named_warning_is_refused_and_leaves_nothing(
    api: ServedApi, account: Account, strict: str
) -> None:
    for refused in (account.upload_raw(SILENT, strict=strict), account.upload_form(SILENT, strict=strict)):
        problem = assert_problem(refused, 422, "sound-refused")
        assert problem["warnings"] == ["silent"]
        assert "silence" in problem["detail"]
    assert Traces(api.services).of(account.id) == []


def test_other_warnings_do_not_matter(account: Account) -> None:
    accepted = account.upload_raw(SILENT, strict="clipped,dc-offset")

    assert accepted.status_code == 201
    assert [warning["code"] for warning in accepted.json()["warnings"]] == ["silent"]


@pytest.mark.parametrize("strict", ["quiet", "clipped,truncated", "silent;clipped"])
def test_only_warnings_about_the_sound_may_be_named(account: Account, strict: str) -> None:
    problem = assert_problem(account.upload_raw(SILENT, strict=strict), 422, "invalid-field")

    assert "It may name channel-silent, " in problem["detail"]


def test_a_key_belongs_to_what_strict_names(account: Account) -> None:
    def upload(**query: str) -> int:
        headers = account.bearer | {"Content-Type": "audio/wav", "Idempotency-Key": "one"}
        return account.http.post("/records", params=query, content=SILENT, headers=headers).status_code

    assert upload(strict="clipped,dc-offset") == 201
    assert upload(strict="dc-offset,clipped") == 201
    assert upload() == upload(strict="clipped") == 422
