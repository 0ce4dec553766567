"""The alerts use only existing metrics, labels and outcomes, and the operator's guide describes each alert."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from needs import skip_or_fail
from pigwav.api.openapi import leaves
from pigwav.telemetry.metrics import Metrics

INFRA: Final = Path(__file__).parents[2] / "infra"
FILE: Final = INFRA / "observability" / "prometheus-rules.yaml"
RULES: Final = yaml.safe_load(FILE.read_text())
ALERTS: Final = [rule for group in RULES["groups"] for rule in group["rules"]]
_LABELS_OF_PROMETHEUS: Final = {"job", "instance", "le"}


def exposed() -> set[str]:
    """All sample names in /metrics."""
    exposition = Metrics().exposition().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE))
    samples = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
    return {name + suffix for name, kind in kinds.items() for suffix in samples[kind]}


def test_prometheus_own_tool_takes_the_rules() -> None:
    program = shutil.which("promtool") or skip_or_fail("promtool", "promtool is not installed")

    checked = subprocess.run(
        [program, "check", "rules", str(FILE)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_every_metric_of_an_alert_is_one_that_the_service_exposes() -> None:
    named = {name for alert in ALERTS for name in re.findall(r"\bpigwav_\w+", alert["expr"])}

    assert len(named) > 6
    assert named <= exposed()


def test_every_code_of_an_alert_is_one_that_errors_have() -> None:
    known = {error.code for error in leaves()} | {"internal-error", "ok", "stored"}
    named = {
        code
        for alert in ALERTS
        for codes in re.findall(r'outcome!?=~"([^"]+)"', alert["expr"])
        for code in codes.split("|")
    }

    assert "store-unavailable" in named
    assert named <= known


def test_every_label_of_an_alert_is_one_that_metrics_have() -> None:
    metrics = Metrics()
    metrics.http_requests.labels("GET", "/readyz", "503").inc()
    metrics.http_seconds.labels("GET", "/readyz").observe(1)
    metrics.uploads.labels("stored").inc()
    metrics.store_requests.labels("put", "ok").inc()
    metrics.store_seconds.labels("put").observe(1)
    known = set(re.findall(r'(\w+)="', metrics.exposition().decode())) | _LABELS_OF_PROMETHEUS
    text = " ".join(alert["expr"] for alert in ALERTS)
    named = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", text))
    named |= {name.strip() for names in re.findall(r"\bby \(([^)]*)\)", text) for name in names.split(",")}

    assert named <= known


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_what_and_what_to_do(alert: dict) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"]["summary"].endswith(".")
    assert f"`{alert['alert']}`" in (INFRA / "README.md").read_text()
    assert alert["expr"].count("(") == alert["expr"].count(")")
