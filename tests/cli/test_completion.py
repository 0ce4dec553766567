"""Shell completion, which typer implements."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.person import Person

PROGRAM = Path(sys.executable).with_name("pigwav")


def in_shell(person: Person, *words: str, **variables: str) -> str:
    path = f"{PROGRAM.parent}:{person.all_variables()['PATH']}"
    done = subprocess.run(
        words,
        env=person.all_variables() | {"PATH": path} | variables,
        cwd=person.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def completed_by_bash(person: Person, *line: str) -> list[str]:
    """bash's completions of the last word."""
    words = " ".join(f"'{word}'" for word in line)
    script = (
        'eval "$(pigwav --show-completion bash)"\n'
        f"COMP_WORDS=({words}) COMP_CWORD={len(line) - 1}\n"
        '_pigwav_completion pigwav; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    variables = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    return in_shell(person, "bash", "-c", script, **variables).split()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (("pigwav", "dow"), {"download"}),
        (("pigwav", "token", "r"), {"rotate"}),
        (("pigwav", "upload", "--ti"), {"--title"}),
        (("pigwav", "rename", "--"), {"--url", "--user", "--token", "--help"}),
    ],
)
def test_bash_completes_commands_and_options(
    newcomer: Person, line: tuple[str, ...], offered: set[str]
) -> None:
    assert set(completed_by_bash(newcomer, *line)) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered(newcomer: Person, shell: str) -> None:
    words = {"_PIGWAV_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "pigwav reg"}
    answer = in_shell(newcomer, str(PROGRAM), **words, _TYPER_COMPLETE_FISH_ACTION="get-args")

    assert "register" in answer


def test_installed_completion_is_a_file_that_the_shell_reads(newcomer: Person) -> None:
    variables = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    in_shell(newcomer, str(PROGRAM), "--install-completion", "bash", **variables)

    installed = newcomer.home / ".bash_completions" / "pigwav.sh"
    assert str(installed) in (newcomer.home / ".bashrc").read_text()
    assert "_pigwav_completion" in installed.read_text()
