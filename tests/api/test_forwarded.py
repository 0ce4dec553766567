"""X-Forwarded-* is used only if it comes from a trusted address."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from accounts import register
from factories import wav
from pigwav.settings import HttpSettings, Settings
from serving import served

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "voice.example.org"}


@contextmanager
def api(settings: Settings, trusted: str, root_path: str = "") -> Iterator[httpx2.Client]:
    http = settings.http.model_copy(update={"trusted_proxies": trusted, "root_path": root_path})
    with (
        served(settings.model_copy(update={"http": http})) as running,
        httpx2.Client(base_url=running.url) as client,
    ):
        yield client


def link(http: httpx2.Client, headers: dict[str, str]) -> str:
    account = register(http)
    answer = http.post(
        f"/records?user={account.id}",
        content=wav(seconds=0.1),
        headers=account.bearer | {"Content-Type": "audio/wav"} | headers,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["url"]


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.1.1.1, 127.0.0.0/8", "*"])
def test_a_trusted_proxy_says_which_address_is_public(settings: Settings, trusted: str) -> None:
    with api(settings, trusted, root_path="/voice") as http:
        assert link(http, FORWARDED).startswith("https://voice.example.org/voice/record?")


@pytest.mark.parametrize("trusted", ["", "10.1.1.1", "127.0.0.2, 192.168.0.0/16"])
def test_nobody_else_does(settings: Settings, trusted: str) -> None:
    with api(settings, trusted) as http:
        assert link(http, FORWARDED).startswith(f"{http.base_url}/record?")


def test_of_a_list_of_hosts_the_one_that_the_trusted_proxy_added_counts(settings: Settings) -> None:
    with api(settings, "127.0.0.1") as http:
        url = link(http, FORWARDED | {"X-Forwarded-Host": "evil.example, voice.example.org:8443"})

    assert url.startswith("https://voice.example.org:8443/record?")


@pytest.mark.parametrize("host", ["", "a b", "evil.example/path", "user@evil.example", "a:b:c", 'x"y'])
def test_what_is_no_host_is_ignored(settings: Settings, host: str) -> None:
    with api(settings, "127.0.0.1") as http:
        url = link(http, FORWARDED | {"X-Forwarded-Host": host})

    assert url.startswith(f"https://{http.base_url.netloc.decode()}/record?")


@pytest.mark.parametrize("prefix", ["voice", "/voice/"])
def test_a_prefix_may_be_written_with_and_without_its_slashes(prefix: str) -> None:
    assert HttpSettings.model_validate({"root_path": prefix}).root_path == "/voice"


@pytest.mark.parametrize("path", ["/healthz", "/voice/healthz"])
def test_the_prefix_may_be_taken_away_by_the_proxy_or_left_where_it_is(settings: Settings, path: str) -> None:
    with api(settings, "", root_path="/voice") as http:
        assert http.get(path).status_code == 200
        assert http.get("/voices/healthz").status_code == 404
