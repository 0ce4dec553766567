"""Security headers of every response: no sniffing, no scripts, no caching."""

import http.client
import socket
from dataclasses import dataclass, field

import httpx2
import pytest

from accounts import Account
from factories import wav
from pigwav.api.security_headers import SECURITY_HEADERS
from pigwav.settings import Settings
from serving import ServedApi, served

JSON, PROBLEM, MP3, PNG = "application/json", "application/problem+json", "audio/mpeg", "image/png"


@dataclass(frozen=True)
class Ask:
    """A request with its expected status and content type ("": no body). `<id>`, `<user>`: of a ready recording."""

    status: int
    kind: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    anonymous: bool = False


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
AS_WAV = {"Content-Type": "audio/wav"}
LINK = "/record?id=<id>&user=<user>"
NOBODY = "00000000-0000-4000-8000-000000000000"

ANSWERS = [
    Ask(200, JSON, "GET", "/healthz"),
    Ask(200, JSON, "GET", "/readyz"),
    Ask(200, "text/plain", "GET", "/metrics"),
    Ask(200, JSON, "GET", "/openapi.json"),
    Ask(200, "text/html", "GET", "/docs"),
    Ask(200, "text/css", "GET", "/docs/assets/swagger-ui.css"),
    Ask(404, PROBLEM, "GET", "/docs/assets/none.js"),
    Ask(200, "text/html", "GET", "/", {"Accept": "text/html"}),
    Ask(200, "text/javascript", "GET", "/page/js/app.js"),
    Ask(404, PROBLEM, "GET", "/page/none.js"),
    Ask(200, "text/html", "GET", "/listen?id=<id>&user=<user>"),
    Ask(404, "text/html", "GET", f"/listen?id={NOBODY}&user=<user>"),
    Ask(200, PNG, "GET", "/listen/card.png?id=<id>&user=<user>"),
    Ask(404, PROBLEM, "GET", f"/listen/card.png?id={NOBODY}&user=<user>"),
    Ask(200, JSON, "GET", "/limits"),
    Ask(404, PROBLEM, "GET", "/<script>alert(1)</script>"),
    Ask(405, PROBLEM, "PUT", "/records"),
    Ask(405, PROBLEM, "HEAD", "/records"),
    Ask(200, JSON, "GET", "/users/me"),
    Ask(401, PROBLEM, "GET", "/users/me", anonymous=True),
    Ask(422, PROBLEM, "POST", "/users", body=b"{}"),
    Ask(415, PROBLEM, "POST", "/users", {"Content-Type": "text/html"}, b"<p>"),
    Ask(413, PROBLEM, "POST", "/users", body=bytes(100_000)),
    Ask(200, JSON, "GET", "/records"),
    Ask(422, PROBLEM, "GET", "/records?limit=x"),
    Ask(200, JSON, "GET", "/records/<id>"),
    Ask(404, PROBLEM, "GET", f"/records/{NOBODY}"),
    Ask(200, JSON, "PATCH", "/records/<id>", body=b'{"title": "<img src=x onerror=alert(1)>"}'),
    Ask(201, JSON, "POST", "/records?user=<user>", AS_WAV, wav(seconds=0.1)),
    Ask(415, PROBLEM, "POST", "/records?user=<user>", AS_WAV, b"<html><script>alert(1)</script></html>"),
    Ask(400, PROBLEM, "POST", "/records", FORM, b"--x"),
    Ask(200, MP3, "GET", LINK),
    Ask(200, MP3, "HEAD", LINK),
    Ask(200, MP3, "GET", "/record/<id>.mp3?user=<user>"),
    Ask(206, MP3, "GET", LINK, {"Range": "bytes=0-1"}),
    Ask(304, "", "GET", LINK, {"If-None-Match": "*"}),
    Ask(412, PROBLEM, "GET", LINK, {"If-Match": '"x"'}),
    Ask(416, PROBLEM, "GET", LINK, {"Range": "bytes=99999999-"}),
    Ask(404, PROBLEM, "GET", f"/record?id={NOBODY}&user=<user>"),
    Ask(404, PROBLEM, "HEAD", f"/record?id={NOBODY}&user=<user>"),
    Ask(422, PROBLEM, "GET", "/record"),
]

PAGES = ("/", "/page/js/app.js", "/listen")


@pytest.fixture(scope="module")
def recording(account: Account) -> dict:
    return account.recording()


@pytest.fixture(params=ANSWERS, ids=lambda ask: f"{ask.status} {ask.method} {ask.path}")
def answered(
    request: pytest.FixtureRequest, account: Account, recording: dict
) -> tuple[Ask, httpx2.Response]:
    ask: Ask = request.param
    path = ask.path.replace("<id>", recording["id"]).replace("<user>", str(account.id))
    headers = ({} if ask.anonymous else account.bearer) | ask.headers
    answer = account.http.request(ask.method, path, headers=headers, content=ask.body)
    assert answer.status_code == ask.status, answer.text
    return ask, answer


def test_every_answer_is_taken_for_what_it_is_and_nothing_of_it_runs(
    answered: tuple[Ask, httpx2.Response],
) -> None:
    ask, answer = answered
    headers = answer.headers
    policy = headers["content-security-policy"]

    assert headers.get("content-type", "").partition(";")[0] == ask.kind
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'")
    assert ("script-src" in policy) == (ask.path.partition("?")[0] in (*PAGES, "/docs"))


def test_only_a_recording_and_its_card_may_be_part_of_another_page(
    answered: tuple[Ask, httpx2.Response],
) -> None:
    ask, answer = answered
    is_link = ask.path.startswith("/record?") or ask.path.startswith("/record/") or ask.path == "/record"

    expected = "cross-origin" if is_link or ask.kind == PNG else "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == expected
    assert ("frame-ancestors 'none'" in answer.headers["content-security-policy"]) == (not is_link)


def test_nobody_keeps_what_holds_a_token_or_is_somebodys_own(answered: tuple[Ask, httpx2.Response]) -> None:
    ask, answer = answered
    if ask.kind in (MP3, PNG) or ask.status == 304:
        expected = "private, no-cache"
    else:
        is_page = ask.path.startswith("/docs/assets/") or ask.path.partition("?")[0] in PAGES
        expected = "no-cache" if is_page else "no-store"

    assert answer.headers["cache-control"] == expected


def test_what_is_no_http_is_answered_in_the_same_way(api: ServedApi) -> None:
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(b"<script>alert(1)</script>\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()

    assert answer.status == 400
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert answer.headers["Content-Type"] == PROBLEM


def test_the_pages_script_is_named_and_no_other_may_run(account: Account) -> None:
    policy = account.http.get("/docs").headers["content-security-policy"]
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))

    assert scripts.split()[1] == "'self'"
    assert [source[:8] for source in scripts.split()[2:]] == ["'sha256-"]
    assert "unsafe" not in scripts


@pytest.mark.parametrize("origins", ["", "https://app.example.org", "*"])
def test_a_browser_sends_no_credentials_of_its_own_to_us_from_another_page(
    settings: Settings, origins: str
) -> None:
    """There are none (no cookie, no Basic), and other origins can read responses only if the operator allows them."""
    http_settings = settings.http.model_copy(update={"cors_origins": origins})
    with (
        served(settings.model_copy(update={"http": http_settings})) as api,
        httpx2.Client(base_url=api.url) as browser,
    ):
        asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Authorization"}
        for origin in ("https://app.example.org", "https://evil.example", "null"):
            for answer in (
                browser.get("/users/me", headers={"Origin": origin}),
                browser.options("/users/me", headers={"Origin": origin} | asks),
            ):
                allowed = answer.headers.get("access-control-allow-origin")

                assert (
                    allowed
                    in {
                        "": {None},
                        "*": {"*"},
                        "https://app.example.org": {None, "https://app.example.org"},
                    }[origins]
                )
                assert allowed != "https://evil.example"
                assert "access-control-allow-credentials" not in answer.headers
                assert "set-cookie" not in answer.headers
