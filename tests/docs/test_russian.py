"""README.ru.md has the same commands as README.md, and everything that it names exists."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from docs.tables import README, ROOT

COMPOSE: Final = ROOT / "service" / "docs" / "compose.md"
PAGES: Final = {README: README.with_name("README.ru.md"), COMPOSE: COMPOSE.with_name("compose.ru.md")}
_BLOCK: Final = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMENT: Final = re.compile(r"(?:^|\s+)# .*")


def commands(text: str) -> list[str]:
    """Every line that a reader may copy, without comments and drawings."""
    lines = [
        _COMMENT.sub("", line)
        for block in _BLOCK.findall(text)
        if "──" not in block
        for line in block.splitlines()
    ]
    return [line for line in lines if line.strip()]


@pytest.mark.parametrize("english", PAGES, ids=lambda page: page.name)
def test_both_languages_have_the_same_commands_in_the_same_order(english: Path) -> None:
    expected = commands(english.read_text())

    assert len(expected) > 10
    assert commands(PAGES[english].read_text()) == expected


@pytest.mark.parametrize("page", [COMPOSE, PAGES[COMPOSE]], ids=lambda page: page.name)
def test_what_is_said_of_compose_is_what_compose_has(page: Path) -> None:
    text = page.read_text()
    compose = (README.parent / "compose.yaml").read_text()
    services = yaml.safe_load(compose)["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}

    assert set(re.findall(r"--profile (\w+)", text)) == profiles
    assert yaml.safe_load(compose)["name"] == "pigwav"  # the reason for the network's name pigwav_default
    for said in (
        "pigwavdb",
        "pigwavuser",
        "pigwav1234",
        "pigwavdb_container",
        "quizdb_container",
        "pigwavadmin",
    ):
        assert f"`{said}`" in text
        assert said in compose
    for said in (
        "pigwavservice",
        "apiapp_container",
        "apiapp_image:latest",
        "admin@example.com",
        "5050",
        "9001",
    ):
        assert said in text
        assert said in compose


def test_every_file_that_they_link_to_is_there() -> None:
    for document in (*PAGES.values(), ROOT / "infra" / "README.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), target
