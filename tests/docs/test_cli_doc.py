"""Runs the commands of service/docs/cli.md and compares their output with the document."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from cli.person import Person
from factories import wav
from pigwav.cli import account, download, library, upload
from pigwav.cli.failures import LOCAL_CODES, ExitStatus, LocalFailure
from pigwav.cli.sources import NoWavFound
from pigwav.cli.uploaded import NotSent
from pigwav.client import DEFAULT_URL
from pigwav.settings import Settings
from serving import served

DOCUMENT: Final = Path(__file__).parents[2] / "service" / "docs" / "cli.md"
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_EXAMPLES: Final = re.compile(
    rf"(?P<uuid>{_UUID})"
    r"|(?P<user>(?<=user=)1\b|(?<=User ID: )1\b|(?<=to user )1\b)"
    r"|(?P<moment>2026-11-24T08:30:00)"
    r"|(?P<size>(?<=\t)\d+(?=\t))"
)
"""Examples in the document whose values differ in every run."""
_WHAT_THEY_ARE: Final = {"user": r"\d+", "moment": r"[\dT:-]{19}", "size": r"\d+"}


class Reader:
    """Runs the document's commands, and maps its ids and tokens to the real ones."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._true: dict[str, str] = {DEFAULT_URL: person.url}

    def type(self, command: str) -> str:
        """Runs a command. Returns standard output and standard error."""
        variables = self._person.all_variables()
        return subprocess.run(
            ["bash", "-c", f"exec 2>&1; {self._translated(command)}"],
            cwd=self._person.home,
            env=variables | {"PATH": f"{Path(sys.executable).parent}:{variables['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
        ).stdout

    def check(self, shown: str, output: str) -> None:
        """Compares `output` with the document's `shown`. Records the real values of new ids and tokens."""
        pattern, position, new = "", 0, dict[str, str]()
        for example in _EXAMPLES.finditer(shown):
            pattern += re.escape(self._translated(shown[position : example.start()]))
            pattern += _WHAT_THEY_ARE.get(example.lastgroup or "") or self._uuid(example[0], new)
            position = example.end()
        found = re.fullmatch(pattern + re.escape(self._translated(shown[position:])), output)
        assert found, f"the document shows\n{shown}\nbut it is\n{output}"
        self._true |= {uuid: found[name] for uuid, name in new.items()}

    def _uuid(self, shown: str, new: dict[str, str]) -> str:
        if shown in self._true:
            return self._true[shown]
        if shown in new:
            return f"(?P={new[shown]})"
        new[shown] = f"uuid{len(new)}"
        return f"(?P<{new[shown]}>{_UUID})"

    def _translated(self, text: str) -> str:
        for shown, true in self._true.items():
            text = text.replace(shown, true)
        return text


@pytest.fixture
def reader(settings: Settings, tmp_path: Path) -> Iterator[Reader]:
    with served(settings) as api:
        person = Person.in_folder(tmp_path / "anna", api.url)
        person.file("Standup.wav", wav(seconds=1))
        person.file("Again/Standup.wav", wav(seconds=2))
        person.file("Interviews/Anna.wav", wav(seconds=1))
        person.file("Interviews/notes.wav", b"hello, world. " * 9)
        yield Reader(person)


def typed() -> list[tuple[str, str]]:
    """The commands in the console blocks, each with its output."""
    blocks = re.findall(r"^```console\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)


def test_what_is_typed_shows_what_is_shown(reader: Reader) -> None:
    assert len(typed()) > 8
    for command, shown in typed():
        reader.check(shown, reader.type(command))


def test_every_exit_status_is_in_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \| \S", DOCUMENT.read_text(), re.MULTILINE)

    assert [*map(int, rows)] == sorted([0, *ExitStatus, 130])


def test_every_code_of_the_program_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[a-z-]+`.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    named = {*re.findall(r"`([a-z-]+)`", " ".join(rows))}

    assert named == {*LOCAL_CODES.values(), NoWavFound.code, NotSent.code, LocalFailure.code}


def test_every_command_and_option_of_a_user_is_named() -> None:
    text = DOCUMENT.read_text()
    for command, options in user_commands():
        row = next((line for line in text.splitlines() if line.startswith(f"| `pigwav {command}")), "")
        assert row, command
        everywhere = row + text.partition("## What is written where")[2]
        assert [name for name in options if f"`{name}" not in everywhere] == [], command


def user_commands() -> Iterator[tuple[str, list[str]]]:
    """The users' commands, each with the shorter names of its options."""
    app = typer.Typer()
    for part in (account, upload, download, library):
        part.add_commands(app)
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        inner = command.commands if isinstance(command, TyperGroup) else {"": command}
        for word, one in inner.items():
            options = [min(option.opts, key=len) for option in one.params if option.opts[0].startswith("-")]
            yield f"{name} {word}".strip(), options
