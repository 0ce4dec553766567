"""Links are answered in two ways, by FastAPI and in front of it: the answers are the same, header by header."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from accounts import Account, register
from logged import Line, logged
from pigwav.settings import Settings
from serving import ServedApi, served
from waiting import wait_until

LONG_S = 220
"""More than what socket buffers hold."""

NOBODY = "127.0.0.1:1"
OWN = "https://app.example.org"


@dataclass(frozen=True)
class Asked:
    """A request; `{id}`, `{user}`, `{etag}`, `{date}` and `{size}` stand for those of the recording."""

    query: str = "?id={id}&user={user}"
    path: str = "/record"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


def headed(**headers: str) -> Asked:
    return Asked(headers={name.replace("_", "-"): value for name, value in headers.items()})


MP3 = Asked("?user={user}", "/record/{id}.mp3")
ODD_FORMS = [
    Asked("?user={user}&id={id}"),
    Asked("?id={ID}&user={user}"),
    Asked("?id={hex}&user={user}"),
    Asked("?id={{{id}}}&user={user}"),
    Asked("?id=urn:uuid:{id}&user={user}"),
    Asked("?id={id}&user={user}&id={id}"),
    Asked("?id={id}&user={user}&user=999999"),
    Asked("?id={id}&user=999999&user={user}"),
    Asked("?id={id}&user={user}&more=1"),
    Asked("?id={id}&user={user}&"),
    Asked("?&id={id}&user={user}"),
    Asked("?id={id};user={user}"),
    Asked("?id={id}&user=0{user}"),
    Asked("?id={id}&user=%2B{user}"),
    Asked("?id={id}&user=+{user}"),
    Asked("?id={id}&user={user}.0"),
    Asked("?id={id}&user=0"),
    Asked("?id={id}&user=-1"),
    Asked("?id={id}&user=me"),
    Asked("?id={id}&user=999999999999999999"),
    Asked("?id={id}&user=9223372036854775807"),
    Asked("?id={id}&user=9223372036854775808"),
    Asked("?id={id}&user=" + "9" * 5000),
    Asked("?id={id}&user=١"),
    Asked("?id={id}"),
    Asked("?user={user}"),
    Asked("?id=x&user={user}"),
    Asked("?id={id}%00&user={user}"),
    Asked(""),
    Asked(path="/record/"),
    Asked(path="//record"),
    Asked(path="/record.mp3"),
    Asked(path="/%72ecord"),
    Asked(path="/record/{id}"),
    Asked("?user={user}", "/record/{ID}.mp3"),
    Asked("?user={user}", "/record/{hex}.mp3"),
    Asked("?user={user}&id=x", "/record/{id}.mp3"),
    Asked("?user={user}", "/record/{id}.MP3"),
    Asked("?user={user}", "/record/{id}xmp3"),
    Asked("?user={user}", "/record/x.mp3"),
    Asked("", "/record/{id}.mp3"),
    Asked("?user={user}", "/record/{id}.json"),
    Asked("?user={user}", "/record/{id}.dat"),
    Asked("?user={user}", "/record/{id}%2Emp3"),
]
CONDITIONS = [
    headed(Range="bytes=0-1"),
    headed(Range="bytes=100-"),
    headed(Range="bytes=-9"),
    headed(Range="bytes=0-99999999999999999999999"),
    headed(Range="bytes={size}-"),
    headed(Range="bytes=-0"),
    headed(Range="bytes=0-1,5-6"),
    headed(Range="lines=0-1"),
    headed(Range="bytes=5-2"),
    headed(Range="bytes=0-1", If_Range="{etag}"),
    headed(Range="bytes=0-1", If_Range="{date}"),
    headed(Range="bytes=0-1", If_Range='"old"'),
    headed(If_None_Match="{etag}"),
    headed(If_None_Match="*"),
    headed(If_None_Match='"other"'),
    headed(If_Modified_Since="{date}"),
    headed(If_Match='"other"'),
    headed(If_Match="{etag}"),
    headed(If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT"),
    headed(Range="bytes=0-1", If_None_Match="{etag}"),
    headed(X_Request_ID="seen-before.1"),
    headed(X_Request_ID="not safe;"),
    headed(Expect="100-continue"),
    headed(Authorization="Bearer nobody"),
    headed(Accept_Encoding="gzip, br"),
    headed(Connection="close"),
]
METHODS = [
    *(Asked(method=method) for method in ("HEAD", "OPTIONS", "POST", "DELETE", "PUT", "TRACE")),
    Asked(method="HEAD", headers={"Range": "bytes=0-1"}),
    Asked(method="HEAD", headers={"If-None-Match": "{etag}"}),
    Asked("?id={other}&user={user}"),
    Asked("?id={other}&user={user}", method="HEAD"),
    MP3,
    Asked(MP3.query, MP3.path, "HEAD"),
    Asked(MP3.query, MP3.path, headers={"Range": "bytes=7-8"}),
    Asked("?user={user}", "/record/{other}.mp3"),
]
ORIGINS = [
    Asked(),
    *(headed(Origin=origin) for origin in (OWN, "https://elsewhere.example.org", "null")),
    headed(Origin=OWN, Range="bytes=0-1"),
    headed(Origin=OWN, If_None_Match="{etag}"),
    headed(Origin=OWN, Range="bytes={size}-"),
    Asked("?id={other}&user={user}", headers={"Origin": OWN}),
    Asked(
        method="OPTIONS",
        headers={
            "Origin": OWN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range",
        },
    ),
]
PREFIXED = [
    Asked(path="/voice/record"),
    Asked(path="/record"),
    Asked(MP3.query, "/voice/record/{id}.mp3"),
    Asked(path="/voice/voice/record"),
    Asked(path="/voicerecord"),
    Asked("", "/voice/record"),
]
FORWARDED = [
    headed(X_Forwarded_For=address, X_Forwarded_Host="voice.example.org", X_Forwarded_Proto="https")
    for address in ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1", "odd")
]
TWICE = {"rates": {"requests_per_address": "2/9999 days"}}

Sections: TypeAlias = dict[str, dict[str, Any]]

SCENARIOS: Mapping[str, tuple[Sections, Sequence[Asked], set[int]]] = {
    "conditions": (
        {},
        [Asked(), *CONDITIONS, *METHODS, *ODD_FORMS],
        {200, 206, 304, 404, 405, 412, 416, 422},
    ),
    "some origins": ({"http": {"cors_origins": OWN}}, ORIGINS, {200, 206, 304, 404, 416}),
    "all origins": ({"http": {"cors_origins": "*"}}, ORIGINS, {200, 206, 304, 404, 416}),
    "path prefix": ({"http": {"root_path": "/voice"}}, PREFIXED, {200, 404, 422}),
    "trusted proxy": ({"http": {"trusted_proxies": "127.0.0.1"}, **TWICE}, FORWARDED, {200, 429}),
    "unknown proxy": ({**TWICE}, FORWARDED, {200, 429}),
    "rates": (
        {**TWICE, "http": {"cors_origins": "*"}},
        [Asked(), MP3, Asked(), headed(Origin=OWN), Asked("")],
        {200, 429},
    ),
    "two rates": (
        {"rates": {"requests_per_address": "9/5000 days;10/9999 days"}},
        [Asked(), Asked("")],
        {200, 422},
    ),
    "operators": ({"http": {"operator_bind": "127.0.0.1:0"}}, [Asked(), MP3, Asked("")], {200, 422}),
    "no store": (
        {"store": {"endpoint": f"http://{NOBODY}"}},
        [Asked(), MP3, Asked(method="HEAD")],
        {200, 503},
    ),
    "no database": (
        {"database": {"url": SecretStr(f"postgresql://someone@{NOBODY}/none")}},
        [Asked(), MP3, Asked(method="HEAD"), Asked("")],
        {422, 503},
    ),
}


Reached: TypeAlias = tuple[ServedApi, httpx2.Client]


@dataclass(frozen=True)
class Seen:
    """All that a client and an operator see of one request."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    log: list[Line]
    metrics: list[str]


@pytest.fixture(scope="module")
def account(http: httpx2.Client) -> Account:
    return register(http)


@pytest.fixture(scope="module")
def recording(account: Account) -> dict[str, Any]:
    return account.recording(title="Запись № 1")


@pytest.fixture(scope="module")
def words(http: httpx2.Client, recording: dict[str, Any]) -> dict[str, str]:
    """What the braces in requests stand for."""
    known = http.head(recording["url"]).headers
    return {
        "id": recording["id"],
        "ID": recording["id"].upper(),
        "hex": recording["id"].replace("-", ""),
        "other": str(uuid4()),
        "user": str(recording["user"]),
        "etag": known["etag"],
        "date": known["last-modified"],
        "size": known["content-length"],
    }


def changed(settings: Settings, sections: Mapping[str, dict[str, Any]]) -> Settings:
    update = {name: getattr(settings, name).model_copy(update=value) for name, value in sections.items()}
    return settings.model_copy(update=update)


@contextmanager
def both(settings: Settings) -> Iterator[tuple[Reached, Reached]]:
    with (
        served(settings) as ours,
        served(settings, links_by_fastapi=True) as by_fastapi,
        httpx2.Client(base_url=ours.url, timeout=60) as http,
        httpx2.Client(base_url=by_fastapi.url, timeout=60) as http_of_fastapi,
    ):
        yield (ours, http), (by_fastapi, http_of_fastapi)


def seen(api: ServedApi, http: httpx2.Client, asked: Asked, words: Mapping[str, str]) -> Seen:
    with logged() as lines:
        before = _metrics(api)
        url = (asked.path + asked.query).format_map(words)
        headers = {name: value.format_map(words) for name, value in asked.headers.items()}
        answer = http.request(asked.method, url, headers=headers)
        wait_until(lambda: any(line["event"] == "request" for line in lines))
        return Seen(
            answer.status_code,
            [(name, _steady(name, value, asked)) for name, value in answer.headers.multi_items()],
            _without_seconds(answer.text).encode() if answer.status_code == 429 else answer.content,
            [_steady_line(line, asked) for line in lines],
            sorted(set(_metrics(api)) - set(before)),
        )


def _metrics(api: ServedApi) -> list[str]:
    """The counters of the process, without durations."""
    text = api.services.metrics.exposition().decode()
    return [line for line in text.splitlines() if not re.search("seconds_|_created|^#|disk_free", line)]


def _steady(name: str, value: str, asked: Asked) -> str:
    """The value without what differs from request to request."""
    if name == "date" or (name == "x-request-id" and value != asked.headers.get("X-Request-ID")):
        return "..."
    return _without_seconds(value) if name in ("ratelimit", "retry-after") else value


def _without_seconds(text: str) -> str:
    return re.sub(r"(t=|in |^)\d{6,}", r"\1...", text)


def _steady_line(line: Line, asked: Asked) -> Line:
    own = {"request": asked.headers.get("X-Request-ID", ""), "duration_ms": 0, "timestamp": ""}
    if line.get("request") != own["request"]:
        own["request"] = "..."
    if "detail" in line:
        own["detail"] = re.sub(r"in [\d.]+.?s\b", "in ...", line["detail"])  # how long the tries took
    return {name: own.get(name, value) for name, value in line.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_ways_give_the_same_answer(settings: Settings, words: dict[str, str], name: str) -> None:
    sections, requests, statuses = SCENARIOS[name]
    with both(changed(settings, sections)) as (ours, by_fastapi):
        found = set()
        for asked in requests:
            answer = seen(*ours, asked, words)
            assert answer == seen(*by_fastapi, asked, words), asked
            found.add(answer.status)

    assert found >= statuses, "the requests reach fewer answers than they should"


@pytest.mark.parametrize("most", [1, 8])
def test_the_limits_of_open_downloads_are_the_same(
    settings: Settings, account: Account, words: dict[str, str], most: int
) -> None:
    """The whole limit, and the share of one address."""
    long = account.long_recording(seconds=LONG_S * 6, bitrate=64)
    with both(changed(settings, {"http": {"max_open_downloads": most}})) as apis:
        answers = []
        for api, http in apis:
            with ExitStack() as held:
                path = long["url"].partition("/record")[2]
                for _ in range(max(1, most - 1)):
                    held.enter_context(http.stream("GET", f"/record{path}"))
                requests = (Asked(), MP3, Asked(method="HEAD"))
                answers.append([seen(api, http, asked, words) for asked in requests])

        assert answers[0] == answers[1]
        assert [answer.status for answer in answers[0]] == [503, 503, 200]
