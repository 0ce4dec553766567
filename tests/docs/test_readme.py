"""The README's tables, commands and links are correct."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.tables import README, SETTINGS, TABLES, written
from pigwav.api.openapi import leaves
from pigwav.api.problems import status_of
from pigwav.cli.lazy_commands import COMMANDS, load_command
from pigwav.devstack.supervisor import METRICS_VARIABLE
from pigwav.errors import CannotStart

ROOT = README.parent


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text()


@pytest.mark.parametrize("document", TABLES, ids=lambda document: document.name)
def test_settings_errors_and_metrics_are_documented_as_they_are(document: Path) -> None:
    assert document.read_text() == written(document), "run python tests/docs/tables.py"


@pytest.mark.parametrize("table", [table for tables in TABLES.values() for table in tables.values()])
def test_no_table_is_empty_and_no_cell_of_it(table: Callable[[], str]) -> None:
    rows = table().splitlines()[2:]

    assert len(rows) > 3
    assert all(row.split("|")[-2].strip() for row in rows), "something has no description"


def test_every_error_has_a_code_of_its_own_and_a_sentence() -> None:
    errors = [*leaves()]

    assert len({error.code for error in errors}) == len(errors)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code) for error in errors)
    assert all(error.title().endswith(".") for error in errors)
    assert all(400 <= status_of(error) < 600 for error in errors if not issubclass(error, CannotStart))


def test_the_first_command_runs_it_and_one_command_tests_it(readme: str) -> None:
    commands = re.findall(r"^```\w*\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    prepare = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt"

    assert commands[0] == f"{prepare} '.[embedded]' && .venv/bin/pigwav up\n"
    assert f"{prepare} '.[embedded,test]' && .venv/bin/pytest -n logical\n" in commands


def test_every_variable_and_every_command_of_the_program_is_documented() -> None:
    pages = "".join((ROOT / "service" / "docs" / name).read_text() for name in ("cli.md", "operations.md"))
    variables = {
        str(parameter.envvar)
        for command in map(load_command, COMMANDS)
        for parameter in command.params
        if parameter.envvar
    }

    assert variables >= {"PIGWAV_URL", "PIGWAV_USER", "PIGWAV_TOKEN"}
    assert [name for name in variables if f"`{name}`" not in pages] == []
    assert f"`{METRICS_VARIABLE}`" in SETTINGS.read_text()
    assert [name for name in COMMANDS if not re.search(rf"\bpigwav {name}\b", pages)] == []


def test_every_file_that_a_document_links_to_is_there() -> None:
    documents = [README, ROOT / "CHANGELOG.md", *(ROOT / "service" / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_no_file_names_a_package_registry_or_carries_addresses_in_a_lock() -> None:
    for lock in (ROOT / "constraints.txt", ROOT / "constraints.lock", ROOT / "build.lock"):
        assert "://" not in lock.read_text()
