"""Rate limits per address and per user: headers in every response, and refusals that reach the client."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from cli.person import Person
from factories import wav
from pigwav.api.client_address import address_of
from pigwav.client import PigWavClient, TryLater
from pigwav.settings import RateSettings, Settings
from problem_assertions import assert_problem
from serving import ServedApi, served

MIB = 1024 * 1024
ITEM = re.compile(r'"([a-z0-9-]+)";([a-z])=(\d+);([a-z])=(\d+)')


@contextmanager
def api(
    settings: Settings, *, trusted: str = "", cors: str = "", root_path: str = "", **rates: str
) -> Iterator[tuple[ServedApi, httpx2.Client]]:
    http = settings.http.model_copy(
        update={"trusted_proxies": trusted, "cors_origins": cors, "root_path": root_path}
    )
    bounded = settings.model_copy(update={"rates": RateSettings.model_validate(rates), "http": http})
    with served(bounded) as running, httpx2.Client(base_url=running.url, timeout=30) as client:
        yield running, client


def policies(answer: httpx2.Response) -> dict[str, tuple[int, int]]:
    """Quota and window (s) by policy name."""
    return _items(answer, "RateLimit-Policy", "q", "w")


def test_requests_that_are_sent_at_once_on_one_connection_are_counted_one_by_one(settings: Settings) -> None:
    request = b"GET /users/me HTTP/1.1\r\nHost: x\r\n"
    with (
        api(settings, requests_per_address="3/hour") as (running, _),
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection,
    ):
        connection.sendall((request + b"\r\n") * 7 + request + b"Connection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    statuses = re.findall(rb"HTTP/1.1 (\d+)", received)
    assert statuses == [b"401"] * 3 + [b"429"] * 5


def limits(answer: httpx2.Response) -> dict[str, tuple[int, int]]:
    """Remaining quota, and seconds until one more request is allowed, by policy name."""
    return _items(answer, "RateLimit", "r", "t")


def _items(answer: httpx2.Response, field: str, *parameters: str) -> dict[str, tuple[int, int]]:
    found = [ITEM.fullmatch(item) for item in answer.headers[field].split(", ")]
    assert all(item and (item[2], item[4]) == parameters for item in found), answer.headers[field]
    return {item[1]: (int(item[3]), int(item[5])) for item in found if item}


def assert_limited(answer: httpx2.Response, policy: str) -> dict:
    """Asserts a 429 whose waiting time is the same in the detail, in Retry-After and in RateLimit."""
    document = assert_problem(answer, 429, "rate-limited")
    retry_after_s = int(answer.headers["retry-after"])
    assert limits(answer)[policy] == (0, retry_after_s)
    assert f"rate of {policy} is" in document["detail"]
    assert document["detail"].endswith(f"try again in {retry_after_s} s.")
    return document


def value(http: httpx2.Client, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (\S+)$", http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_nothing_is_bounded_or_said_where_no_rate_is_set(http: httpx2.Client, account: Account) -> None:
    answers = [http.get("/users/me", headers=account.bearer) for _ in range(100)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any(name.startswith("ratelimit") for answer in answers for name in answer.headers)


def test_an_address_is_told_where_it_stands_and_refused_when_it_asks_too_often(settings: Settings) -> None:
    with api(settings, requests_per_address="3/hour") as (_, http):
        answers = [http.get("/nowhere") for _ in range(5)]
        refused = value(http, 'pigwav_rate_limited_total{policy="requests-per-address"}')

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert {policies(answer)["requests-per-address"] for answer in answers} == {(3, 3600)}
    assert [limits(answer)["requests-per-address"][0] for answer in answers] == [2, 1, 0, 0, 0]
    assert_limited(answers[3], "requests-per-address")
    assert answers[3].headers["x-content-type-options"] == "nosniff"
    assert refused == 2


@pytest.mark.parametrize("prefix", ["", "/voice"])
def test_machines_that_watch_are_never_refused_nor_counted(settings: Settings, prefix: str) -> None:
    with api(settings, root_path=prefix, requests_per_address="1/day") as (_, http):
        for path in ("/healthz", "/readyz", "/metrics") * 3:
            answer = http.get(prefix + path)
            assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)

        assert http.get(f"{prefix}/records").status_code == 401
        assert http.get(f"{prefix}/records").status_code == 429


@pytest.mark.parametrize("prefix", ["", "/voice"])
def test_a_browser_that_opens_the_page_uses_up_one_request(settings: Settings, prefix: str) -> None:
    with api(settings, root_path=prefix, requests_per_address="2/day") as (_, http):
        index = http.get(f"{prefix}/", headers={"Accept": "text/html"})
        files = re.findall(r'(?:href|src)="([^"]+\.(?:js|css|svg))"', index.text)
        answers = [http.get(path) for path in files]

        assert len(files) > 20
        assert {(answer.status_code, "ratelimit" in answer.headers) for answer in answers} == {(200, False)}
        assert limits(index)["requests-per-address"][0] == 1


def test_several_windows_hold_each_on_its_own(settings: Settings) -> None:
    with api(settings, requests_per_address="2/second;3/day") as (_, http):
        first = http.get("/nowhere")

    assert policies(first) == {"requests-per-address-1s": (2, 1), "requests-per-address-86400s": (3, 86400)}
    assert [remaining for remaining, _ in limits(first).values()] == [1, 2]


def test_guessing_tokens_uses_up_the_address_before_it_finds_one(settings: Settings) -> None:
    with api(settings, requests_per_address="10/hour") as (_, http):
        account = register(http)
        wrong = {"Authorization": "Bearer 3c6cb0c6-7bb5-4b0f-8a57-d0e8d3b1f1a5"}
        guesses = [http.get("/users/me", headers=wrong).status_code for _ in range(5)]
        uploads = [
            Account(http, account.id, f"guess {n}").upload_form(wav(seconds=0.1)).status_code
            for n in range(4)
        ]

        assert (guesses, uploads) == ([401] * 5, [401] * 4)
        assert_limited(http.get("/users/me", headers=account.bearer), "requests-per-address")


def test_users_behind_one_address_are_counted_each_for_himself(settings: Settings) -> None:
    with api(settings, requests_per_user="2/hour") as (_, http):
        one, other = register(http), register(http)
        asked = [http.get("/users/me", headers=one.bearer) for _ in range(3)]

        assert [answer.status_code for answer in asked] == [200, 200, 429]
        assert_limited(asked[2], "requests-per-user")
        assert http.get("/users/me", headers=other.bearer).status_code == 200
        assert http.get("/users/me", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("how", ["upload_raw", "upload_form"])
def test_uploads_of_a_user_are_bounded_and_light_requests_go_on(settings: Settings, how: str) -> None:
    body = wav(seconds=0.1)
    with api(settings, uploads_per_user="2/hour") as (_, http):
        account = register(http)
        uploads = [getattr(account, how)(body) for _ in range(3)]

        assert [answer.status_code for answer in uploads] == [201, 201, 429]
        assert limits(uploads[0])["uploads-per-user"][0] == 1
        assert_limited(uploads[2], "uploads-per-user")
        assert len(http.get("/records", headers=account.bearer).json()["items"]) == 2
        assert value(http, 'pigwav_uploads_total{outcome="rate-limited"}') == 1


def test_an_upload_is_a_request_of_its_user_too(settings: Settings) -> None:
    with api(settings, requests_per_user="2/hour") as (_, http):
        account = register(http)
        account.recording()

        assert http.get("/users/me", headers=account.bearer).status_code == 200
        assert_limited(account.upload_raw(wav(seconds=0.1)), "requests-per-user")


def test_registrations_of_an_address_are_bounded(settings: Settings) -> None:
    with api(settings, registrations_per_address="2/hour") as (_, http):
        account = register(http)
        register(http)

        assert_limited(http.post("/users", json={"name": "one too many"}), "registrations-per-address")
        assert http.get("/users/me", headers=account.bearer).status_code == 200


def test_a_refusal_in_the_middle_of_a_body_arrives(settings: Settings) -> None:
    """The client sends its whole body before it reads: it would get EPIPE if the server answered and closed."""
    with api(settings, uploads_per_user="1/hour", requests_per_address="6/hour") as (_, http):
        account = register(http)
        account.recording()
        bodies = [wav(seconds=1) + bytes(48 * MIB)] * 2
        by_user = [account.upload_raw(bodies[0]), account.upload_form(bodies[1])]
        account.upload_raw(b"")
        http.get("/nowhere")
        by_address = [account.upload_raw(bodies[0]), account.upload_form(bodies[1])]

    for answer in by_user:
        assert_limited(answer, "uploads-per-user")
    for answer in by_address:
        assert_limited(answer, "requests-per-address")


def test_who_asks_whether_to_send_a_body_is_refused_without_it(settings: Settings) -> None:
    with api(settings, requests_per_address="1/hour") as (running, http):
        http.get("/nowhere")
        request = (
            b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
        )
        with closing(socket.create_connection(("127.0.0.1", running.port), timeout=30)) as connection:
            connection.sendall(request)

            assert connection.recv(65536).startswith(b"HTTP/1.1 429 ")


def test_the_address_is_the_one_that_a_trusted_proxy_names(settings: Settings) -> None:
    def asked(http: httpx2.Client, forwarded: str) -> int:
        return http.get("/nowhere", headers={"X-Forwarded-For": forwarded}).status_code

    with api(settings, trusted="127.0.0.1", requests_per_address="1/hour") as (_, http):
        assert [asked(http, "192.0.2.1") for _ in range(2)] == [404, 429]
        assert asked(http, "192.0.2.2") == 404
        assert asked(http, "evil, 192.0.2.2") == 429
        assert [asked(http, f"2001:db8:0:1::{host}") for host in (1, 2)] == [404, 429]
        assert asked(http, "2001:db8:0:2::1") == 404
    with api(settings, requests_per_address="1/hour") as (_, http):
        assert [asked(http, "192.0.2.1"), asked(http, "192.0.2.2")] == [404, 429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:DB8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("unknown", "unknown", True),
        ("unknown", "192.0.2.1", False),
    ],
)
def test_who_counts_as_one_address(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert (address_of((one, 1)) == address_of((other, 1))) == same


@pytest.mark.parametrize("text", [None, "", "x" * 100_000, "::ffff:", "1.2.3.4:5", "2001:db8::1/64"])
def test_any_client_is_somebody_in_a_few_bytes(text: str | None) -> None:
    assert len(address_of(text if text is None else (text, 1))) <= 64


def test_pages_of_other_origins_may_read_where_they_stand(settings: Settings) -> None:
    origin = "https://app.example.org"
    with api(settings, cors=origin, requests_per_address="1/hour") as (_, http):
        for status in (404, 429):
            answer = http.get("/nowhere", headers={"Origin": origin})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == origin
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= {*exposed}
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert http.options("/records", headers=asks).status_code == 200


def test_the_client_waits_as_long_as_it_is_told_and_then_succeeds(settings: Settings) -> None:
    with api(settings, uploads_per_user="1/2 seconds") as (running, http):
        account = register(http)
        while account.upload_raw(wav(seconds=0.1)).status_code != 429:
            pass
        with PigWavClient(running.url, account.id, account.token) as client:
            uploaded = client.upload(wav(seconds=0.2))
            recordings = [*client.recordings()]

    assert recordings[0].id == uploaded.id


def test_a_client_that_would_have_to_wait_for_hours_is_told_so_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    with api(settings, uploads_per_user="1/day") as (running, http):
        account = register(http)
        account.recording()
        with (
            PigWavClient(running.url, account.id, account.token) as client,
            pytest.raises(TryLater) as raised,
        ):
            client.upload(wav(seconds=0.1))
        person = Person.in_folder(tmp_path / "home", running.url).with_environment(
            PIGWAV_URL=running.url, PIGWAV_USER=account.id, PIGWAV_TOKEN=account.token
        )
        (person.home / "a.wav").write_bytes(wav(seconds=0.1))
        ended = person.run("upload", "a.wav")

    assert raised.value.retry_after_s > 86_000
    assert ended.returncode == 5
    told = r"pigwav: a\.wav: The rate of uploads-per-user is 1 in 86400 s; try again in 86\d{3} s. \(rate-limited\)\n"
    assert re.fullmatch(told, ended.stderr)
