"""`GET /records?q=`: the caller's recordings by the words of their titles."""

import pytest

from accounts import Account
from problem_assertions import assert_problem


def titles(account: Account, **query: object) -> list[str]:
    answer = account.http.get("/records", params=query, headers=account.bearer)
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_titles_with_the_words_are_found_newest_first_and_no_other_user_s(
    account: Account, other_user: Account
) -> None:
    for title in ("Standup, Monday", "Interview", "Planning and standup"):
        account.recording(seconds=0.1, title=title)
    other_user.recording(seconds=0.1, title="Standup of somebody else")

    assert titles(account, q="STANDUP") == ["Planning and standup", "Standup, Monday"]
    assert titles(account, q="standup plan", peaks=1) == ["Planning and standup"]
    assert titles(account, q="retrospective") == []


def test_a_search_has_pages(account: Account) -> None:
    for title in ("call 1", "note", "call 2", "call 3"):
        account.recording(seconds=0.1, title=title)

    first = account.http.get("/records", params={"q": "call", "limit": 2}, headers=account.bearer).json()
    assert [item["title"] for item in first["items"]] == ["call 3", "call 2"]
    assert titles(account, q="call", limit=2, cursor=first["next"]) == ["call 1"]


def test_a_new_title_is_found_at_once_and_a_deleted_recording_is_not(account: Account) -> None:
    path = f"/records/{account.recording(seconds=0.1, title='before')['id']}"
    account.http.patch(path, json={"title": "after"}, headers=account.bearer)

    assert (titles(account, q="before"), titles(account, q="after")) == ([], ["after"])
    account.http.delete(path, headers=account.bearer)
    assert titles(account, q="after") == []


@pytest.mark.parametrize("q", ["", "  ", "\0", "\u200b"])
def test_a_blank_search_finds_all(account: Account, q: str) -> None:
    account.recording(seconds=0.1, title="any")

    assert titles(account, q=q) == ["any"]


HOSTILE = [
    *("'; DROP TABLE recordings; --", "'", "''", '"', "\\", "\\'", "a' | 'b", "a:*", "!a", "a & b", "((", ")", "<->"),
    *("a <2> b", "%", "_", "$1", "%(x)s", ":x", "*", "!", "🎉", "👩\u200d👩\u200d👧", "\u202eabc", "a\0b"),
    *("á" * 100, "\u0301" * 200, "a " * 100, "'" * 200, "𒐫" * 200, "ﷺ" * 200),
]  # fmt: skip


def test_any_characters_have_an_answer(account: Account) -> None:
    account.recording(seconds=0.1, title="safe")

    for q in HOSTILE:
        assert titles(account, q=q) == [], q
    assert titles(account, q="safe") == ["safe"]


@pytest.mark.parametrize("q", ["a" * 201, "a" * 10_000, "é" * 1_000, "! " * 5_000])
def test_a_search_that_is_longer_than_a_title_is_refused(account: Account, q: str) -> None:
    answer = account.http.get("/records", params={"q": q}, headers=account.bearer)

    assert_problem(answer, 422, "invalid-field")


def test_bytes_that_are_no_text_have_an_answer(account: Account) -> None:
    for q in ("%ff%fe", "%ed%a0%80", "%c0%80"):
        answer = account.http.get(f"/records?q={q}", headers=account.bearer)
        assert answer.status_code == 200
