"""README.ru.md has the same commands as README.md, and everything that it names exists."""

import re
from typing import Final

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from docs.tables import README
from pigwav.cli.app import build_app

RUSSIAN: Final = README.with_name("README.ru.md")
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


def test_both_languages_have_the_same_commands_in_the_same_order() -> None:
    english = commands(README.read_text())

    assert len(english) > 30
    assert commands(RUSSIAN.read_text()) == english


@pytest.mark.parametrize("document", [README, RUSSIAN], ids=lambda document: document.name)
def test_what_is_said_of_compose_is_what_compose_has(document: object) -> None:
    text = (README if document == README else RUSSIAN).read_text()
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


def test_every_command_of_the_operator_is_explained_in_both() -> None:
    program = get_command(build_app())
    assert isinstance(program, TyperGroup)
    for name in program.commands:
        assert re.search(rf"\bpigwav {name}\b", RUSSIAN.read_text()), name


def test_every_file_that_it_links_to_is_there() -> None:
    for document in (RUSSIAN, README.parent / "infra" / "README.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), target
