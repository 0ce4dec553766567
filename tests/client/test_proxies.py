"""Proxies that the environment names, with both clients."""

import gc
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from client.both import ID, LINK, TOKEN, OpenClient
from fakes.socks_proxy import no_socks_proxy, socks_proxy
from fakes.stub_service import Reply, Stub, stub_service
from pigwav.client import InvalidProxy, NotConnected

AWAY = "http://service.example:8080"
USER = {"id": 1, "name": "anna", "registered_at": "2026-11-29T12:00:00Z"}
REFUSES = "http://127.0.0.1:1"

left_to_the_garbage_collector = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""httpcore2 does not close a socket on which SOCKS failed."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[Stub]:
    """Answers at any address: it is an HTTP proxy as well as the service behind a proxy."""
    with stub_service(lambda *_: Reply.json(200, USER)) as stub:
        yield stub


def port_of(stub: Stub) -> int:
    return urlsplit(stub.url).port or 0


def user_name(open_client: OpenClient, url: str) -> str:
    with open_client(url, token=TOKEN, attempts=1) as client:
        return client.me().name


def failure(open_client: OpenClient, url: str) -> str:
    with pytest.raises(NotConnected) as failed:
        user_name(open_client, url)
    return str(failed.value)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_an_http_proxy_with_or_without_its_scheme(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, service: Stub, variable: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, f"{scheme}127.0.0.1:{port_of(service)}")

    assert user_name(open_client, AWAY) == "anna"
    assert [one.target for one in service.received] == [f"{AWAY}/users/me"]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, service: Stub, scheme: str
) -> None:
    with socks_proxy(("127.0.0.1", port_of(service))) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
        assert user_name(open_client, AWAY) == "anna"

    assert proxy.asked == [("service.example", 8080)]


@left_to_the_garbage_collector
def test_a_socks_proxy_with_a_password(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, service: Stub
) -> None:
    with socks_proxy(("127.0.0.1", port_of(service)), ("me", "hush")) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://me:hush@127.0.0.1:{proxy.port}")
        assert user_name(open_client, AWAY) == "anna"

        monkeypatch.setenv("ALL_PROXY", f"socks5://me:wrong@127.0.0.1:{proxy.port}")
        told = failure(open_client, AWAY)
    gc.collect()

    assert told == (
        f"The proxy socks5://127.0.0.1:{proxy.port} (ALL_PROXY) refused the connection: "
        "Invalid username/password."
    )


@left_to_the_garbage_collector
def test_a_proxy_that_speaks_no_socks_is_named(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient
) -> None:
    with no_socks_proxy() as port:
        address = f"socks5://127.0.0.1:{port}"
        monkeypatch.setenv("ALL_PROXY", address)
        told = failure(open_client, AWAY)
    gc.collect()

    assert told == f"The proxy {address} (ALL_PROXY) does not answer as a SOCKS5 proxy."


@pytest.mark.parametrize(
    ("variable", "url"),
    [("HTTP_PROXY", AWAY), ("HTTPS_PROXY", "https://service.example"), ("ALL_PROXY", AWAY)],
)
def test_a_proxy_that_is_away_is_named_and_not_the_service(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, "http://me:hush@127.0.0.1:1")

    told = failure(open_client, url)

    assert told.startswith(f"The proxy {REFUSES} ({variable}) does not answer: ")
    assert "service.example" not in told


def test_a_proxy_that_wants_a_password_is_named(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient
) -> None:
    with stub_service(lambda *_: Reply(407)) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        told = [failure(open_client, url) for url in (AWAY, "https://service.example")]

    assert told[0].endswith("(ALL_PROXY) refused the connection: 407 Proxy Authentication Required.")
    assert told[1].startswith(f"The proxy {proxy.url} (ALL_PROXY) refused the connection: ")


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        ":8080",
        "socks://h:1",
        "socks4://h:1",
        "ftp://h:1",
        "http://h:x",
        "http://h:0",
        "http://h:99999",
        " http://h:1\r",
        '"http://h:1"',
        "http://[::1",
        "http://me:hush@h:x",
    ],
)
def test_a_proxy_that_cannot_work_is_one_sentence_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, text: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", text)

    with pytest.raises(InvalidProxy) as refused, open_client(AWAY):
        pass

    assert str(refused.value) == (
        f"The proxy in HTTPS_PROXY is not a URL that works: {text.rpartition('@')[2]!r}. "
        "Write it as http://HOST:PORT or socks5://HOST:PORT."
    )


@pytest.mark.parametrize(
    ("excepted", "url"),
    [
        ("service.example", AWAY),
        (".example", AWAY),
        ("*.example", AWAY),
        ("a.example, service.example:8080", AWAY),
        ("192.0.2.0/24", "http://192.0.2.7:8080"),
        ("*", AWAY),
    ],
)
@pytest.mark.parametrize("through", [True, False])
def test_no_proxy_is_honoured(
    monkeypatch: pytest.MonkeyPatch,
    open_client: OpenClient,
    excepted: str,
    url: str,
    through: bool,  # noqa: FBT001
) -> None:
    """No network has the service's host: only the error says whether the client asked the proxy."""
    monkeypatch.setenv("HTTP_PROXY", REFUSES)
    monkeypatch.setenv("NO_PROXY", "other.example,203.0.113.0/24" if through else excepted)

    with (
        pytest.raises(NotConnected) as failed,
        open_client(url, token=TOKEN, attempts=1, timeout_s=0.2) as client,
    ):
        client.me()

    assert ("The proxy" in str(failed.value)) is through


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_this_machine_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, service: Stub, host: str
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, REFUSES)
    if host == "127.1.2.3":
        assert failure(open_client, f"http://{host}:1").startswith(f"http://{host}:1 does not answer")
        return

    assert user_name(open_client, f"http://{host}:{port_of(service)}") == "anna"


def test_a_link_goes_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, service: Stub
) -> None:
    monkeypatch.setenv("HTTP_PROXY", service.url)
    link = LINK.replace("localhost", "service.example")

    with open_client(attempts=1) as client:
        client.file_name(link)

    assert f"id={ID}" in service.received[0].target
