"""The threat model names a bound and an existing test for everything that an actor may try."""

import re
from pathlib import Path

import pytest

from docs.tables import ROOT

DOCS = ROOT / "service" / "docs"
DOCUMENT = (DOCS / "threat-model.md").read_text()
EXPLANATIONS = (DOCS / "security.md").read_text()
POLICY = (ROOT / "SECURITY.md").read_text()
ACTORS = (
    "An unauthenticated client",
    "A user",
    "A hostile file",
    "Somebody who has a link",
    "A web page that a user visits",
    "Somebody between the client and the service",
    "A user of the same machine",
    "Somebody at the database or the object store",
    "Somebody who reads what the service writes",
    "A hostile service",
    "Somebody who replaces a package",
)
_NAMED = re.compile(r"`((?:tests|infra)/[^`\s:]+)(?:::(\w+))?`")


def rows(actor: str) -> list[list[str]]:
    """The cells of each row in the actor's table."""
    section = re.search(rf"^## {actor}\n(.*?)^## ", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert section
    lines = [line for line in section[1].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("path", "test"), sorted({*_NAMED.findall(DOCUMENT + EXPLANATIONS)}))
def test_what_the_pages_name_is_there(path: str, test: str) -> None:
    file = ROOT / path

    assert file.exists()
    assert not test or re.search(rf"\bdef {test}\(", file.read_text())


@pytest.mark.parametrize("actor", ACTORS)
def test_everything_that_an_actor_may_try_has_a_bound_and_a_test(actor: str) -> None:
    assert rows(actor)
    for row in rows(actor):
        assert len(row) == 3
        assert all(row)
        assert row[0].endswith("."), row
        assert _NAMED.search(row[2]), row


def test_every_table_belongs_to_an_actor() -> None:
    tables = DOCUMENT.count("\n| --- |")

    assert tables == len(ACTORS) + 1  # the figures
    for heading in ("What is protected", "Figures", "What is not protected"):
        assert f"\n## {heading}\n" in DOCUMENT


def test_how_to_report_is_told_without_an_address_that_nobody_reads() -> None:
    assert "service/docs/threat-model.md" in POLICY
    assert not re.search(r"\S+@\S+\.\S+", POLICY)
    for heading in ("Reporting", "Supported versions", "Scope", "Not a vulnerability"):
        assert f"## {heading}\n" in POLICY


@pytest.mark.parametrize(("page", "most_words"), [("threat-model.md", 3_900), ("security.md", 700)])
def test_each_page_can_be_read_at_once(page: str, most_words: int) -> None:
    assert len(Path(DOCS / page).read_text().split()) < most_words
