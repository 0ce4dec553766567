"""`Idempotency-Key` on `POST /records`: a repeated upload creates one recording."""

import threading
import uuid

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from accounts import Account
from e2e.open_upload import open_upload
from factories import wav
from pigwav.api.idempotency import idempotency_key
from pigwav.errors import InvalidIdempotencyKey
from problem_assertions import assert_problem
from serving import ServedApi
from traces import Traces
from waiting import wait_until

BODY = wav(seconds=0.5)


def key() -> dict[str, str]:
    return {"Idempotency-Key": f'"{uuid.uuid4()}"'}


def upload(account: Account, headers: dict[str, str], body: bytes = BODY, **query: object) -> httpx2.Response:
    return account.http.post(
        "/records",
        params={"user": account.id} | query,
        content=body,
        headers=account.bearer | {"Content-Type": "audio/wav"} | headers,
    )


def upload_form(account: Account, headers: dict[str, str], filename: str = "a.wav") -> httpx2.Response:
    fields = {"user_id": str(account.id), "token": account.token}
    file = {"file": (filename, BODY, "audio/wav")}
    return account.http.post("/records", data=fields, files=file, headers=headers)


def listed(account: Account) -> list[dict]:
    return account.http.get("/records", headers=account.bearer).json()["items"]


def test_the_same_key_gives_the_same_answer(account: Account) -> None:
    headers = key()
    first = upload(account, headers)

    second = upload(account, headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]
    assert listed(account) == [first.json()]


def test_a_form_may_be_repeated_too(account: Account) -> None:
    headers = key()

    answers = [upload_form(account, headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(listed(account)) == 1


def test_without_a_key_each_upload_is_one_of_its_own(account: Account) -> None:
    assert upload(account, {}).json()["id"] != upload(account, {}).json()["id"]


@pytest.mark.parametrize("what", ["length", "name"])
def test_a_key_that_was_used_for_another_upload_is_refused(account: Account, what: str) -> None:
    headers = key()
    assert upload(account, headers, filename="one.wav").status_code == 201

    other = (
        upload(account, headers, BODY + b"\0" * 4, filename="one.wav")
        if what == "length"
        else upload(account, headers, filename="two.wav")
    )

    assert_problem(other, 422, "idempotency-key-reused")
    assert len(listed(account)) == 1


def test_a_form_with_another_file_name_is_another_upload(account: Account) -> None:
    headers = key()
    upload_form(account, headers, "one.wav")

    assert_problem(upload_form(account, headers, "two.wav"), 422, "idempotency-key-reused")


def test_while_the_first_is_in_flight_the_second_is_told_to_try_again(
    api: ServedApi, account: Account
) -> None:
    headers = key()
    with open_upload(account, BODY, headers=headers) as first:
        wait_until(lambda: Traces(api.services).of(account.id) == ["pending"], within_s=30)
        assert_problem(upload(account, headers), 409, "upload-in-progress")
        status, recording = first.finish()

    assert status == 201
    assert upload(account, headers).json() == recording
    assert len(listed(account)) == 1


def test_uploads_that_arrive_together_make_one_recording(account: Account) -> None:
    headers, answers = key(), list[httpx2.Response]()
    threads = [threading.Thread(target=lambda: answers.append(upload(account, headers))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(listed(account)) == 1


def test_a_bad_wav_gets_the_same_refusal_again(account: Account) -> None:
    headers = key()

    refusals = [upload(account, headers, b"hello") for _ in range(2)]

    assert [assert_problem(refusal, 415, "not-a-wav") for refusal in refusals]
    assert refusals[0].json() == refusals[1].json()


def test_a_key_of_somebody_else_is_none(account: Account, other_user: Account) -> None:
    headers = key()

    assert upload(account, headers).json()["id"] != upload(other_user, headers).json()["id"]


def test_a_recording_that_was_deleted_stays_deleted(account: Account) -> None:
    headers = key()
    recording = upload(account, headers).json()
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)

    assert_problem(upload(account, headers), 404, "recording-not-found")
    assert listed(account) == []


@pytest.mark.parametrize("bad", ["", '""', '"a', "a b", "a,b", '"a"; p=1', "a" * 256, '"é"'])
def test_a_malformed_key_is_refused(account: Account, bad: str) -> None:
    headers = [*account.bearer.items(), ("Content-Type", "audio/wav"), ("Idempotency-Key", bad.encode())]

    answer = account.http.post("/records", params={"user": account.id}, content=BODY, headers=headers)

    assert_problem(answer, 400, "invalid-idempotency-key")
    assert listed(account) == []


def test_two_keys_are_refused(account: Account) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    headers = [*account.bearer.items(), ("Content-Type", "audio/wav"), *twice]

    answer = account.http.post("/records", params={"user": account.id}, content=BODY, headers=headers)

    assert_problem(answer, 400, "invalid-idempotency-key")


def test_a_wrong_token_is_told_before_a_wrong_key(account: Account) -> None:
    answer = account.http.post(
        "/records",
        params={"user": account.id},
        content=BODY,
        headers={"Authorization": "Bearer x", "Content-Type": "audio/wav", "Idempotency-Key": '"'},
    )

    assert_problem(answer, 401, "not-authenticated")


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


@given(PRINTABLE)
def test_every_printable_string_is_a_key_as_rfc_9651_writes_it(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    parsed = idempotency_key(Headers({"Idempotency-Key": f'"{quoted}"'}), filename=None)

    assert parsed is not None
    assert parsed.key == text


@given(st.text(st.characters(max_codepoint=0xFF), max_size=300))
def test_any_header_is_a_key_or_refused(text: str) -> None:
    try:
        parsed = idempotency_key(Headers({"Idempotency-Key": text}), filename="\ud800")
    except InvalidIdempotencyKey:
        return
    assert parsed is not None
    assert 1 <= len(parsed.key) <= 255
    assert parsed.key.isascii()
    assert parsed.key.isprintable()
