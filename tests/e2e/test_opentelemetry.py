"""OpenTelemetry's instrumentation of FastAPI: two environment variables and the extra `otel`."""

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from accounts import register
from e2e.serve import serving
from needs import skip_or_fail
from pigwav.devstack import StackAddress
from waiting import wait_until


@dataclass(frozen=True)
class Collector:
    """An OTLP collector that stores requests by path."""

    url: str
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    def span_names(self) -> set[str]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        sent = [ExportTraceServiceRequest.FromString(body) for body in [*self.bodies.get("/v1/traces", [])]]
        return {
            span.name
            for request in sent
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    def metric_names(self) -> set[str]:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        sent = [
            ExportMetricsServiceRequest.FromString(body) for body in [*self.bodies.get("/v1/metrics", [])]
        ]
        return {
            metric.name
            for request in sent
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def exporter() -> None:
    for module in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            skip_or_fail("otel", "the extra `otel` is not installed")


def test_traces_and_metrics_arrive_at_a_collector(
    exporter: None, stack: StackAddress, tmp_path: Path
) -> None:
    with collecting() as collector:
        environment = stack.environment() | {
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with serving(environment, tmp_path / "serve.log") as url:
            httpx2.post(f"{url}/users", json={"name": "traced"})
            wait_until(lambda: "POST /users" in collector.span_names())

        assert "http.server.request.duration" in collector.metric_names()  # flushed when the service stops


@pytest.mark.long
def test_a_span_tells_the_route_and_not_the_link(exporter: None, stack: StackAddress, tmp_path: Path) -> None:
    with collecting() as collector:
        environment = stack.environment() | {
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with serving(environment, tmp_path / "serve.log") as url, httpx2.Client(base_url=url) as http:
            account = register(http, "spanned")
            recording = account.recording(title="nobody's business")
            http.get(recording["url"])
            http.get(f"/record/{recording['id']}.mp3", params={"user": account.id})
            http.get(f"/records/{recording['id']}", headers=account.bearer)
            wait_until(lambda: "GET /records/{recording_id}" in collector.span_names())
    sent = b"".join(body for bodies in collector.bodies.values() for body in bodies)

    assert {"GET /record", "GET /record/{recording_id}.mp3"} <= collector.span_names()
    assert b"REDACTED" in sent
    for private in (recording["id"], f"user={account.id}", account.token, "nobody's business"):
        assert private.encode() not in sent


def test_without_them_nothing_is_sent(exporter: None, stack: StackAddress, tmp_path: Path) -> None:
    with collecting() as collector:
        environment = stack.environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with serving(environment, tmp_path / "serve.log") as url:
            httpx2.get(f"{url}/healthz")

    assert collector.bodies == {}
