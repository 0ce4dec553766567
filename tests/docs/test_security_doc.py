"""Every test that service/docs/security.md refers to exists."""

import re
from pathlib import Path

import pytest

from docs.tables import ROOT

DOCUMENT = (ROOT / "service" / "docs" / "security.md").read_text()
POLICY = (ROOT / "SECURITY.md").read_text()
_NAMED = re.compile(r"`((?:tests|infra)/[^`\s:]+)(?:::(\w+))?`")


def rows() -> list[list[str]]:
    """The cells of each row in the table of attacks."""
    lines = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("path", "test"), _NAMED.findall(DOCUMENT))
def test_what_the_page_names_is_there(path: str, test: str) -> None:
    file = ROOT / path

    assert file.exists()
    assert not test or re.search(rf"\bdef {test}\(", file.read_text())


def test_every_attack_is_stopped_by_something_and_shown_by_a_test() -> None:
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 3
        assert all(row)
        assert _NAMED.search(row[2]), row


def test_how_to_report_is_told_without_an_address_that_nobody_reads() -> None:
    assert "service/docs/security.md" in POLICY
    assert not re.search(r"\S+@\S+\.\S+", POLICY)
    for heading in ("Reporting", "Supported versions", "Scope", "Not a vulnerability"):
        assert f"## {heading}\n" in POLICY


def test_the_page_is_one_page() -> None:
    assert len(Path(ROOT / "service" / "docs" / "security.md").read_text().split()) < 2200
