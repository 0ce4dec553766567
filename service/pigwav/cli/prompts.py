"""Questions to a person at the terminal. If there is none, nothing is asked and nothing assumed."""

import getpass
import sys
from uuid import UUID

import typer

from pigwav.cli.credentials import token_of
from pigwav.cli.failures import CommandWrong, ExitStatus, tell


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the person says so: `yes` (the option -y) in advance, or now."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandWrong("Nobody can be asked here; -y says yes in advance.")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        tell("Nothing was done.")
        raise typer.Exit(ExitStatus.FAILED)


def token() -> UUID:
    """Typed without echo; where standard input is no terminal, its first line. Raises TokenMalformed."""
    return token_of(getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline())
