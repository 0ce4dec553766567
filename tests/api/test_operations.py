"""Health checks, metrics and request logs."""

import re

import httpx2
import pytest
from pydantic import SecretStr

from accounts import Account, register
from fakes.faulty_store import FaultyStore, OnCall, unavailable
from pigwav.settings import DatabaseSettings, Settings
from pigwav.store.memory import MemoryStore
from problem_assertions import assert_problem
from serving import served


def test_a_service_whose_parts_answer_is_ready(http: httpx2.Client) -> None:
    assert http.get("/readyz").json() == {"status": "ready"}
    assert http.get("/healthz").json() == {"status": "ok"}


def test_a_service_without_its_store_is_alive_and_not_ready(settings: Settings) -> None:
    store = FaultyStore(MemoryStore(), before={"check": unavailable})
    with served(settings, store=store) as api:
        assert httpx2.get(f"{api.url}/healthz").status_code == 200
        assert_problem(httpx2.get(f"{api.url}/readyz"), 503, "store-unavailable")


def test_a_service_without_its_database_says_503_and_nothing_of_the_inside(settings: Settings) -> None:
    nowhere = DatabaseSettings(url=SecretStr("postgresql://someone:hidden@127.0.0.1:1/none"))
    with served(settings.model_copy(update={"database": nowhere})) as api:
        for answer in (
            httpx2.get(f"{api.url}/readyz"),
            httpx2.post(f"{api.url}/users", json={"name": "x"}),
            httpx2.get(f"{api.url}/records", headers={"Authorization": "Bearer x"}),
            httpx2.get(f"{api.url}/records"),  # without a token, the same code runs as for a wrong one
        ):
            assert_problem(answer, 503, "database-unavailable")
            assert "hidden" not in answer.text
            assert "127.0.0.1" not in answer.text


def test_metrics_count_what_happened(http: httpx2.Client, account: Account) -> None:
    def value(line: str) -> float:
        found = re.search(rf"^{re.escape(line)} (\S+)$", http.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    stored, refused = 'pigwav_uploads_total{outcome="stored"}', 'pigwav_uploads_total{outcome="not-a-wav"}'
    before = value(stored), value(refused)
    account.recording()
    account.upload_raw(b"nonsense")

    assert (value(stored), value(refused)) == (before[0] + 1, before[1] + 1)
    assert value("pigwav_uploads_open") == 0
    assert value('pigwav_http_requests_total{method="POST",route="/users",status="201"}') > 0


def test_every_answer_carries_a_request_id_and_a_harmless_one_is_kept(http: httpx2.Client) -> None:
    assert re.fullmatch("[0-9a-f]{32}", http.get("/healthz").headers["x-request-id"])
    assert http.get("/healthz", headers={"X-Request-ID": "trace-7"}).headers["x-request-id"] == "trace-7"
    odd = http.get("/healthz", headers={"X-Request-ID": "a b<script>"})
    assert re.fullmatch("[0-9a-f]{32}", odd.headers["x-request-id"])


def test_other_origins_may_call_only_where_they_are_configured(settings: Settings) -> None:
    origin = {"Origin": "https://app.example.org"}
    with served(settings) as api:
        assert "access-control-allow-origin" not in httpx2.get(f"{api.url}/healthz", headers=origin).headers
    http_settings = settings.http.model_copy(update={"cors_origins": "https://app.example.org"})
    with served(settings.model_copy(update={"http": http_settings})) as api:
        allowed = httpx2.get(f"{api.url}/healthz", headers=origin).headers
        assert allowed["access-control-allow-origin"] == "https://app.example.org"
        seen = set(allowed["access-control-expose-headers"].split(", "))
        assert seen >= {"Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Repr-Digest"}
        sent = "Authorization, If-Match, If-None-Match, If-Range, Range, X-Request-ID"
        asks = origin | {
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": sent,
        }
        assert httpx2.options(f"{api.url}/record", headers=asks).status_code == 200


class Broken(MemoryStore):
    """A store with a bug."""

    def check(self) -> None:
        raise RuntimeError("secret inside")


def test_what_nobody_foresaw_is_a_500_that_tells_nothing_and_is_counted(settings: Settings) -> None:
    with served(settings, store=Broken()) as api:
        answer = httpx2.get(f"{api.url}/readyz")
        metrics = httpx2.get(f"{api.url}/metrics").text

    document = assert_problem(answer, 500, "internal-error")
    assert "secret" not in str(document)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers
    assert 'pigwav_http_requests_total{method="GET",route="/readyz",status="500"} 1.0' in metrics


def test_a_download_that_the_store_breaks_for_good_ends_short(settings: Settings) -> None:
    """Content-Length was sent, so the client sees that bytes are missing."""
    store = FaultyStore(MemoryStore())
    with served(settings, store=store) as api, httpx2.Client(base_url=api.url) as http:
        link = register(http).recording(seconds=30)["url"]
        store.after["read"] = unavailable
        store.before["read"] = OnCall(2, unavailable)
        with pytest.raises(httpx2.RemoteProtocolError):
            http.get(link)
