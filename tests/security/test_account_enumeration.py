"""A refusal does not reveal whether a user or a recording exists (timing: tests/bench/account_enumeration.py)."""

import random

import httpx2
import pytest
from sqlalchemy import Engine, event

from accounts import register
from bench.account_enumeration import SURE, Person, Wire, groups, rank_sum, without_chance
from problem_assertions import assert_problem
from serving import ServedApi


@pytest.fixture(scope="module")
def me(http: httpx2.Client) -> Person:
    return person(http)


@pytest.fixture(scope="module")
def other(http: httpx2.Client) -> Person:
    return person(http)


def person(http: httpx2.Client) -> Person:
    account = register(http)
    kept, deleted = (account.recording()["id"] for _ in range(2))
    assert http.delete(f"/records/{deleted}", headers=account.bearer).status_code == 204
    return Person(account.id, account.token, kept, deleted)


def test_refusals_are_alike_to_the_last_byte(api: ServedApi, me: Person, other: Person) -> None:
    wire = Wire(api.url)
    for cases in groups(me, other):
        answers = {
            case.name: wire.ask(case.request(), without_body=case.method == "HEAD")[1:] for case in cases
        }
        alike = {without_chance(*answer) for answer in answers.values()}

        assert len(alike) == 1, answers
        assert next(iter(alike))[0] in (b"HTTP/1.1 401 Unauthorized", b"HTTP/1.1 404 Not Found"), answers
    wire.close()


@pytest.mark.parametrize("asked", [{"If-None-Match": "*"}, {"If-Match": "*"}, {"Range": "bytes=0-1"}])
def test_conditions_and_ranges_are_not_looked_at_for_what_is_not_there(
    http: httpx2.Client, me: Person, other: Person, asked: dict[str, str]
) -> None:
    for id_, user in ((other.recording, me.id), (other.deleted, other.id)):
        answer = http.get("/record", params={"id": id_, "user": user}, headers=asked)

        assert_problem(answer, 404, "recording-not-found")


@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
def test_a_method_that_is_not_taken_is_refused_before_anything_is_looked_up(
    http: httpx2.Client, other: Person, method: str
) -> None:
    answers = [
        http.request(method, f"/records/{id_}") for id_ in (other.recording, "00000000-0000-4000-8000-0000")
    ]

    assert {answer.status_code for answer in answers} == {405}


def test_the_database_never_sees_a_token(http: httpx2.Client) -> None:
    """The database looks up a SHA-256, so the time of its comparison reveals nothing about a token."""
    seen: list[str] = []

    def note(*words: object) -> None:
        seen.append(repr(words[2:4]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        account = register(http)
        http.get("/users/me", headers=account.bearer)
        renewed = http.post("/users/me/token", headers=account.bearer).json()["token"]
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert len(seen) >= 4
    assert not [words for words in seen if account.token in words or renewed in words]


def test_what_takes_longer_on_the_whole_is_told_apart_and_chance_is_not() -> None:
    """The statistics of tests/bench/account_enumeration.py."""
    draw = random.Random(1)
    usual, again = ([draw.lognormvariate(0, 0.2) for _ in range(2000)] for _ in range(2))
    slower = [seconds * 1.05 for seconds in again]

    longer, by_chance = rank_sum(slower, usual)
    assert longer > 0.5
    assert by_chance < SURE
    assert rank_sum(again, usual)[1] > SURE
    assert rank_sum([1, 2, 3], [4, 5, 6])[0] == 0
    assert rank_sum([2, 5], [1, 3, 4, 6])[0] == 0.5
