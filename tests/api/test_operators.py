"""The listener for operators: `PIGWAV_OPERATOR_BIND`."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest
from pydantic import SecretStr

from accounts import register
from pigwav.api.listeners import OPERATOR_CONNECTIONS
from pigwav.settings import DatabaseSettings, Settings
from problem_assertions import assert_problem
from serving import ServedApi, served
from waiting import wait_until

REFUSED = b"HTTP/1.1 503 Service Unavailable"


def with_operators(settings: Settings, **http: object) -> Settings:
    """`served` uses any free port."""
    chosen = settings.http.model_copy(update={"operator_bind": "127.0.0.1:9100", **http})
    return settings.model_copy(update={"http": chosen})


@pytest.fixture
def api(settings: Settings) -> Iterator[ServedApi]:
    with served(with_operators(settings)) as api:
        yield api


def test_operators_get_metrics_and_health_at_their_address(api: ServedApi) -> None:
    with httpx2.Client(base_url=api.url) as http:
        register(http)

    assert httpx2.get(f"{api.operator_url}/healthz").json() == {"status": "ok"}
    assert httpx2.get(f"{api.operator_url}/readyz").json() == {"status": "ready"}
    metrics = httpx2.get(f"{api.operator_url}/metrics")
    assert 'pigwav_http_requests_total{method="POST",route="/users",status="201"} 1.0' in metrics.text
    assert "date" in metrics.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_the_public_address_has_no_metrics_and_says_what_it_says_of_any_other_path(
    api: ServedApi, method: str
) -> None:
    refused = httpx2.request(method, f"{api.url}/metrics")
    unknown = httpx2.request(method, f"{api.url}/nowhere")

    assert (refused.status_code, refused.content) == (404, unknown.content)
    changing = {"x-request-id", "date"}
    assert {name for name, _ in {*refused.headers.items()} ^ {*unknown.headers.items()}} <= changing


def test_the_public_address_still_answers_health_checks(api: ServedApi) -> None:
    assert httpx2.get(f"{api.url}/healthz").status_code == 200
    assert httpx2.get(f"{api.url}/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/users", "/records", "/record", "/docs", "/openapi.json", "/nowhere"])
def test_the_operators_address_has_nothing_else(api: ServedApi, path: str) -> None:
    assert is_not_found(httpx2.get(f"{api.operator_url}{path}"))
    assert is_not_found(httpx2.post(f"{api.operator_url}{path}", content=b"x" * 2**20))


def test_no_header_makes_a_request_an_operators(settings: Settings) -> None:
    everybody = with_operators(settings, trusted_proxies="*", root_path="/voice")
    with served(everybody) as api:
        operator = api.operator_url.removeprefix("http://")
        forged = {
            "Host": operator,
            "X-Forwarded-Host": operator,
            "X-Forwarded-For": "127.0.0.1",
            "Forwarded": f"host={operator}",
        }
        for path in ("/metrics", "/voice/metrics", "/%6detrics"):
            assert is_not_found(httpx2.get(f"{api.url}{path}", headers=forged))
            assert httpx2.get(f"{api.operator_url}{path}").status_code == 200


def test_only_operators_are_told_why_a_dependency_does_not_answer(settings: Settings) -> None:
    nowhere = DatabaseSettings(url=SecretStr("postgresql://someone:hidden@127.0.0.1:1/none"))
    with served(with_operators(settings).model_copy(update={"database": nowhere})) as api:
        public = assert_problem(httpx2.get(f"{api.url}/readyz"), 503, "database-unavailable")
        operators = assert_problem(httpx2.get(f"{api.operator_url}/readyz"), 503, "database-unavailable")

    assert "detail" not in public
    assert operators["detail"] == "The database is not usable: Connection refused."


def test_operators_are_answered_while_clients_use_up_all_connections(settings: Settings) -> None:
    with served(with_operators(settings, max_connections=3)) as api, ExitStack() as held:
        hold_all_connections(held, api.port)

        metrics = httpx2.get(f"{api.operator_url}/metrics").text
        assert 'pigwav_overloaded_total{limit="connections"}' in metrics
        assert httpx2.get(f"{api.operator_url}/readyz").status_code == 200


def test_clients_are_answered_while_operators_use_up_their_connections(api: ServedApi) -> None:
    operator_port = httpx2.URL(api.operator_url).port
    with ExitStack() as held:
        for _ in range(OPERATOR_CONNECTIONS):
            connect(held, operator_port)
        hold_all_connections(held, operator_port)

        assert httpx2.get(f"{api.url}/readyz").status_code == 200


def hold_all_connections(held: ExitStack, port: int) -> None:
    """Opens connections until one is refused. None sends a request.

    A fixed number need not be enough: any other program on this machine may have held one for a moment.
    """
    wait_until(lambda: is_refused(connect(held, port)))


def connect(held: ExitStack, port: int) -> socket.socket:
    return held.enter_context(socket.create_connection(("127.0.0.1", port)))


def is_refused(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(100).startswith(REFUSED)
    except TimeoutError:
        return False


def is_not_found(answer: httpx2.Response) -> bool:
    return answer.status_code == 404 and answer.json()["code"] == "not-found"
