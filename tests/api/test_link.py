"""The public link: whole downloads, ranges, preconditions."""

import base64
import hashlib
import uuid
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx2
import pytest

from accounts import Account, register
from problem_assertions import assert_problem


@pytest.fixture(scope="module")
def recording(http: httpx2.Client) -> dict:
    return register(http).recording(seconds=2, title="Запись № 1")


@pytest.fixture(scope="module")
def mp3(http: httpx2.Client, recording: dict) -> bytes:
    return http.get(recording["url"]).content


def test_the_link_plays_exactly_the_acknowledged_bytes(http: httpx2.Client, recording: dict) -> None:
    answer = http.get(recording["url"])

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    assert int(answer.headers["content-length"]) == len(answer.content) == recording["bytes"]
    assert hashlib.sha256(answer.content).hexdigest() == recording["sha256"]


def test_the_answer_carries_what_players_and_caches_need(http: httpx2.Client, recording: dict) -> None:
    headers = http.get(recording["url"]).headers

    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == f'"{recording["sha256"]}"'
    digest = base64.b64encode(bytes.fromhex(recording["sha256"])).decode()
    assert headers["repr-digest"] == f"sha-256=:{digest}:"
    assert headers["cache-control"] == "private, no-cache"
    assert parsedate_to_datetime(headers["last-modified"]).tzinfo is not None
    assert headers["x-content-type-options"] == "nosniff"
    assert f"filename*=UTF-8''{quote('Запись № 1.mp3')}" in headers["content-disposition"]


def test_the_link_with_an_extension_is_the_same(http: httpx2.Client, recording: dict, mp3: bytes) -> None:
    answer = http.get(f"/record/{recording['id']}.mp3", params={"user": recording["user"]})

    assert answer.content == mp3


def test_head_says_what_get_says_without_the_bytes(http: httpx2.Client, recording: dict) -> None:
    got, headed = http.get(recording["url"]), http.head(recording["url"])

    assert headed.status_code == 200
    assert headed.content == b""
    for name in (
        "content-length",
        "content-type",
        "etag",
        "accept-ranges",
        "last-modified",
        "content-disposition",
    ):
        assert headed.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-1", 0, 2), ("bytes=100-199", 100, 200), ("bytes=500-", 500, None), ("bytes=-9", -9, None)],
)
def test_a_range_answers_these_bytes(
    http: httpx2.Client, recording: dict, mp3: bytes, asked: str, start: int, stop: int | None
) -> None:
    answer = http.get(recording["url"], headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.content == mp3[start:stop]
    first = start if start >= 0 else len(mp3) + start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(mp3)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-1", "bytes=x-y", "bytes=5-2"])
def test_a_range_that_does_not_count_answers_the_whole(
    http: httpx2.Client, recording: dict, mp3: bytes, asked: str
) -> None:
    answer = http.get(recording["url"], headers={"Range": asked})

    assert answer.status_code == 200
    assert answer.content == mp3


def test_a_range_past_the_end_is_not_satisfiable(http: httpx2.Client, recording: dict, mp3: bytes) -> None:
    answer = http.get(recording["url"], headers={"Range": f"bytes={len(mp3)}-"})

    assert_problem(answer, 416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(mp3)}"


def test_a_client_that_has_the_bytes_gets_304(http: httpx2.Client, recording: dict) -> None:
    known = http.get(recording["url"]).headers
    for headers in ({"If-None-Match": known["etag"]}, {"If-Modified-Since": known["last-modified"]}):
        answer = http.get(recording["url"], headers=headers)

        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == known["etag"]


def test_another_version_that_was_asked_for_is_412(http: httpx2.Client, recording: dict) -> None:
    assert_problem(http.get(recording["url"], headers={"If-Match": '"other"'}), 412, "precondition-failed")


def test_if_range_decides_between_the_part_and_the_whole(
    http: httpx2.Client, recording: dict, mp3: bytes
) -> None:
    tag = f'"{recording["sha256"]}"'
    assert http.get(recording["url"], headers={"Range": "bytes=0-1", "If-Range": tag}).content == mp3[:2]
    assert http.get(recording["url"], headers={"Range": "bytes=0-1", "If-Range": '"old"'}).content == mp3


def test_id_and_user_must_belong_together(http: httpx2.Client, recording: dict, other_user: Account) -> None:
    for id_, user in (
        (recording["id"], other_user.id),
        (uuid.uuid4(), recording["user"]),
        (recording["id"], 2**62),
    ):
        assert_problem(http.get("/record", params={"id": str(id_), "user": user}), 404, "recording-not-found")


@pytest.mark.parametrize(
    "query",
    [{}, {"id": "x", "user": "1"}, {"id": str(uuid.uuid4())}, {"id": str(uuid.uuid4()), "user": "me"}],
)
def test_a_malformed_link_is_422(http: httpx2.Client, query: dict) -> None:
    assert_problem(http.get("/record", params=query), 422, "invalid-request")
