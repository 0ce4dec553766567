"""The runbook names every limit, and only existing settings and metrics."""

import re

from docs.tables import ROOT, metrics_table, settings_table
from pigwav.errors import Limit

OPERATIONS = (ROOT / "service" / "docs" / "operations.md").read_text("utf-8")


def test_every_limit_has_its_line_in_the_runbook() -> None:
    table = re.search(r"<!-- limits -->(.*?)<!-- /limits -->", OPERATIONS, re.DOTALL)

    assert table
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].strip().splitlines()[2:]]
    assert [row[0] for row in rows] == [f"`{limit}`" for limit in Limit]
    assert all(len(row) == 3 and row[1].endswith(".") and row[2].endswith(".") for row in rows)


def test_the_runbook_names_only_settings_and_metrics_that_there_are() -> None:
    settings, metrics = settings_table(), metrics_table()
    prefixes = set(re.findall(r"\b(PIGWAV_[A-Z0-9_]+_)\*", OPERATIONS))
    named = {name for name in re.findall(r"\bPIGWAV_[A-Z0-9_]+", OPERATIONS) if name not in prefixes}

    assert len(named) >= 10
    assert {name for name in named if f"`{name}`" not in settings} == set()
    assert {prefix for prefix in prefixes if f"`{prefix}" not in settings} == set()
    for metric in re.findall(r"`(pigwav_\w+)", OPERATIONS):
        assert f"`{metric}`" in metrics
