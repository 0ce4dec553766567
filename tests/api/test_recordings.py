"""An owner's recordings over HTTP."""

import uuid
from urllib.parse import quote

import pytest

from accounts import Account
from factories import wav
from problem_assertions import assert_problem


def test_the_facts_of_a_recording_are_those_of_its_upload(account: Account) -> None:
    uploaded = account.recording(seconds=1.5, title="one")

    shown = account.http.get(f"/records/{uploaded['id']}", headers=account.bearer)

    assert shown.status_code == 200
    assert shown.json() == uploaded


def test_every_answer_with_a_recording_has_the_address_of_its_page(account: Account) -> None:
    uploaded = account.recording()
    path = f"/records/{uploaded['id']}"

    answers = [
        uploaded,
        account.http.get(path, headers=account.bearer).json(),
        account.http.patch(path, headers=account.bearer, json={"title": "new"}).json(),
        *account.http.get("/records", headers=account.bearer).json()["items"],
    ]

    assert {answer["page_url"] for answer in answers} == {uploaded["url"].replace("/record?", "/listen?")}
    assert len(answers) == 4
    assert "<audio" in account.http.get(uploaded["page_url"]).text


def test_the_peak_of_a_recording_is_shown_and_listed(account: Account) -> None:
    loud = account.upload_raw(wav(seconds=0.5, content="noise")).json()
    silent = account.upload_raw(wav(seconds=0.5, content="silence")).json()

    listed = account.http.get("/records", headers=account.bearer).json()["items"]
    assert [one["peak_dbfs"] for one in listed] == [silent["peak_dbfs"], loud["peak_dbfs"]]
    assert silent["peak_dbfs"] == -120.0
    assert -10 < loud["peak_dbfs"] <= 0


def test_the_list_has_every_recording_newest_first(account: Account) -> None:
    ids = [account.recording(seconds=0.1)["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = account.http.get("/records", params=query, headers=account.bearer).json()
        seen += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= 2
        cursor = page["next"]
        if cursor is None:
            break

    assert seen == ids[::-1]


def test_the_list_holds_no_other_user_s_recordings(account: Account, other_user: Account) -> None:
    account.recording(seconds=0.1)

    assert other_user.http.get("/records", headers=other_user.bearer).json() == {"items": [], "next": None}


@pytest.mark.parametrize("cursor", ["x", "////", "a" * 32, "Ж", "a" * 300])
def test_a_cursor_that_was_never_given_is_refused(account: Account, cursor: str) -> None:
    answer = account.http.get("/records", params={"cursor": cursor}, headers=account.bearer)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_a_page_size_out_of_bounds_is_refused(account: Account, limit: str) -> None:
    answer = account.http.get("/records", params={"limit": limit}, headers=account.bearer)

    assert_problem(answer, 422, "invalid-request")


def test_a_new_title_renames_the_download(account: Account) -> None:
    recording = account.recording(title="before")

    answer = account.http.patch(
        f"/records/{recording['id']}", json={"title": "После"}, headers=account.bearer
    )

    assert answer.status_code == 200
    assert answer.json() == recording | {"title": "После"}
    disposition = account.http.head(recording["url"]).headers["content-disposition"]
    assert quote("После.mp3") in disposition


def test_a_title_can_be_removed(account: Account) -> None:
    recording = account.recording(title="before")

    answer = account.http.patch(f"/records/{recording['id']}", json={"title": None}, headers=account.bearer)

    assert answer.json()["title"] is None
    assert recording["id"] in account.http.head(recording["url"]).headers["content-disposition"]


def test_a_title_cannot_inject_headers(account: Account) -> None:
    recording = account.recording(title='a"\r\nSet-Cookie: x=1\r\n\r\n<html>')

    headers = account.http.head(recording["url"]).headers

    assert "set-cookie" not in headers
    assert headers["content-type"] == "audio/mpeg"


def test_a_deleted_recording_s_link_is_dead(account: Account) -> None:
    recording = account.recording()

    assert account.http.delete(f"/records/{recording['id']}", headers=account.bearer).status_code == 204

    assert_problem(account.http.get(recording["url"]), 404, "recording-not-found")
    again = account.http.delete(f"/records/{recording['id']}", headers=account.bearer)
    assert_problem(again, 404, "recording-not-found")


def test_another_user_can_neither_see_nor_change_nor_delete(account: Account, other_user: Account) -> None:
    path = f"/records/{account.recording()['id']}"

    assert_problem(other_user.http.get(path, headers=other_user.bearer), 404, "recording-not-found")
    renamed = other_user.http.patch(path, json={"title": "mine"}, headers=other_user.bearer)
    assert_problem(renamed, 404, "recording-not-found")
    assert_problem(other_user.http.delete(path, headers=other_user.bearer), 404, "recording-not-found")
    assert account.http.get(path, headers=account.bearer).status_code == 200


def test_an_id_that_is_no_uuid_is_422_and_an_unknown_one_404(account: Account) -> None:
    assert_problem(account.http.get("/records/7", headers=account.bearer), 422, "invalid-request")
    unknown = account.http.get(f"/records/{uuid.uuid4()}", headers=account.bearer)
    assert_problem(unknown, 404, "recording-not-found")
