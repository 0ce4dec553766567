"""Answers of a service that wants to harm its clients, or that is none of ours."""

import gzip
import itertools
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from client.both import CREDENTIALS, ID, OpenClient, recording_json, talking
from fakes.stub_service import Reply, problem
from pigwav.client import NotFound, Refused, UnexpectedAnswer
from pigwav.client.bounded_answers import MAX_ANSWER_BYTES, MAX_REDIRECTS

JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
BOMB = gzip.compress(bytes(1 << 28), compresslevel=1)
"""256 MiB in 1.1 MiB."""


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(200, b"[" * 200_000, JSON), id="nested brackets"),
        pytest.param(Reply(200, b'{"id": 1e999}', JSON), id="infinity"),
        pytest.param(Reply(200, b'{"id": ' + b"9" * 5_000 + b"}", JSON), id="number of 5,000 digits"),
        pytest.param(Reply(200, b"{}" + b" " * MAX_ANSWER_BYTES, JSON), id="large"),
        pytest.param(Reply(200, BOMB, JSON | {"Content-Encoding": "gzip"}), id="bomb"),
        pytest.param(Reply(404, b"[" * 200_000, PROBLEM), id="problem of nested brackets"),
        pytest.param(Reply(404, BOMB, PROBLEM | {"Content-Encoding": "gzip"}), id="problem that is a bomb"),
        pytest.param(Reply(200, b"\xff\xfe\0", JSON), id="no text"),
    ],
)
def test_an_answer_that_is_none_is_unexpected(open_client: OpenClient, reply: Reply) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        talking(open_client, reply, *CREDENTIALS, attempts=1) as (stub, client),
        pytest.raises(UnexpectedAnswer),
    ):
        client.show(ID)

    assert stub.received[0].headers["Accept-Encoding"] == "identity"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100 * 1024


def test_a_refusal_with_numbers_that_are_none_is_a_refusal(open_client: OpenClient) -> None:
    for wait in ("9" * 5_000, "1e999", "-1", "Mon, 99 Foo 99999 99:99:99 GMT", "\u0663"):
        reply = problem(503, "overloaded", "Busy.", headers={"Retry-After": wait.encode().decode("latin-1")})
        with (
            talking(open_client, reply, *CREDENTIALS, attempts=1) as (_, client),
            pytest.raises(Refused) as refused,
        ):
            client.show(ID)
        assert refused.value.retry_after_s is None


@pytest.mark.parametrize(
    ("items", "cursors", "pages"),
    [
        pytest.param([], itertools.count, 1, id="empty pages"),
        pytest.param([recording_json()], lambda: itertools.repeat("a"), 2, id="the same page"),
        pytest.param([recording_json()], lambda: itertools.cycle("ab"), 3, id="two pages in turn"),
    ],
)
def test_a_list_without_an_end_ends(
    open_client: OpenClient, items: list[Any], cursors: Callable[[], Iterator[object]], pages: int
) -> None:
    following = cursors()

    def reply(_method: str, _target: str) -> Reply:
        return Reply.json(200, {"items": items, "next": str(next(following))})

    with talking(open_client, reply, *CREDENTIALS) as (stub, client), pytest.raises(UnexpectedAnswer):
        list(client.recordings())
    assert len(stub.received) == pages


def test_redirects_end_and_their_bodies_are_not_read(open_client: OpenClient, tmp_path: Path) -> None:
    bomb = {"Content-Encoding": "gzip", "Location": "/record?id=again"}
    with talking(open_client, Reply(302, BOMB, bomb)) as (stub, client), pytest.raises(UnexpectedAnswer):
        client.download(f"{stub.url}/record?id=x&user=1", tmp_path / "x.mp3")
    assert len(stub.received) == MAX_REDIRECTS + 1


def test_a_redirect_is_followed_once_it_leads_somewhere(open_client: OpenClient, tmp_path: Path) -> None:
    def answer(_method: str, target: str) -> Reply:
        return Reply.mp3(b"mp3") if "there" in target else Reply(302, b"", {"Location": "/there?user=1"})

    with talking(open_client, answer) as (stub, client):
        client.download(f"{stub.url}/record?id=x&user=1", tmp_path / "x.mp3")
    assert (tmp_path / "x.mp3").read_bytes() == b"mp3"


def test_a_download_destroys_no_file_of_another_program(open_client: OpenClient, tmp_path: Path) -> None:
    """The service proposes the name, and other programs write NAME.part."""
    mine = tmp_path / "thesis.odt.part"
    mine.write_bytes(b"years of work")
    with talking(open_client, Reply.mp3(b"mp3")) as (stub, client):
        client.download(f"{stub.url}/record?id=x&user=1", tmp_path / "thesis.odt")
    assert mine.read_bytes() == b"years of work"


def test_a_dead_link_is_still_not_found(open_client: OpenClient, tmp_path: Path) -> None:
    reply = problem(404, "recording-not-found", "None.")
    with talking(open_client, reply, attempts=1) as (stub, client), pytest.raises(NotFound):
        client.download(f"{stub.url}/record?id=x&user=1", tmp_path / "x.mp3")
