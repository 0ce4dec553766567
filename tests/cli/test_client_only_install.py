"""`pip install .` without extras: the user's commands need only its dependencies.

An import hook hides all modules that the base install lacks. `tests/client/test_install.py` tests a real install.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from typing import Final

import pytest
from packaging.requirements import Requirement

from cli.person import Person

COMMANDS: Final = (
    ["register"],
    ["login"],
    ["logout"],
    ["upload"],
    ["download"],
    ["list"],
    ["show"],
    ["rename"],
    ["delete"],
    ["token"],
    ["token", "rotate"],
)
BASE_INSTALL: Final = """
import json, sys

class BaseInstall:
    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        of_python = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if not of_python and top not in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, BaseInstall(set(json.loads(sys.argv.pop(1)))))
from pigwav.cli.app import main
sys.argv[0] = "pigwav"
main()
"""


def brought_by(distribution: str, seen: set[str] | None = None) -> set[str]:
    """The distributions that are installed without extras."""
    seen = set() if seen is None else seen
    seen.add(distribution)
    for line in requires(distribution) or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            name = normal(needed.name)
            if name not in seen:
                brought_by(name, seen)
    return seen


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def modules() -> list[str]:
    """The top-level modules of the base install."""
    brought = brought_by("pigwav")
    assert {"httpx2", "rich", "typer"} <= brought
    assert not {"fastapi", "sqlalchemy", "boto3", "lameenc", "numpy"} & brought
    return [
        "pigwav",
        *(name for name, of in packages_distributions().items() if brought & {*map(normal, of)}),
    ]


def run(person: Person, modules: list[str], *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BASE_INSTALL, json.dumps(modules), *map(str, words)],
        cwd=person.home,
        env=person.all_variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_of_a_user_has_help(newcomer: Person, modules: list[str], command: list[str]) -> None:
    ended = run(newcomer, modules, *command, "--help")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"Usage: pigwav {' '.join(command)} " in ended.stdout
    assert "Examples:" in ended.stdout or command in (["logout"], ["token"])


def test_the_journey_needs_no_more(newcomer: Person, modules: list[str]) -> None:
    newcomer.file("folder/a.wav", seconds=1)
    newcomer.file("folder/b.wav", seconds=1)
    name = newcomer.home.parent.name + newcomer.home.name

    assert run(newcomer, modules, "register", name).returncode == 0
    uploaded = run(newcomer, modules, "upload", "folder", "--jobs", 2)
    assert (uploaded.returncode, uploaded.stderr) == (0, "")
    first, second = uploaded.stdout.split()
    assert run(newcomer, modules, "list").stdout.count("\n") == 2
    assert "sha256" in run(newcomer, modules, "show", first).stdout
    assert run(newcomer, modules, "rename", first, "x").returncode == 0
    assert run(newcomer, modules, "download", first, second).stdout == "x.mp3\nb.mp3\n"
    assert run(newcomer, modules, "delete", "-y", first, second).returncode == 0
    assert run(newcomer, modules, "token", "rotate").returncode == 0


def test_operators_command_says_what_to_install(newcomer: Person, modules: list[str]) -> None:
    ended = run(newcomer, modules, "up")

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.endswith(
        "The server is not installed. Install it with: pip install 'pigwav[embedded]'\n"
    )


def test_hook_hides_what_an_extra_brings(newcomer: Person, modules: list[str]) -> None:
    """Checks the hook, because the tests above rely on it."""
    program = BASE_INSTALL.replace("from pigwav.cli.app import main", "import fastapi")
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(modules)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "No module named 'fastapi'" in ended.stderr
