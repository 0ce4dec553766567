"""Questions to a person at the terminal. Where nobody sits, nothing is asked and nothing assumed."""

import getpass
import sys
from uuid import UUID

import typer

from pigwav.cli.failures import ExitStatus, tell


def confirm(question: str, *, yes: bool) -> None:
    """Go on only where the person says so: `yes` (the option -y) in advance, or now."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("Nobody can be asked here; -y says yes in advance.")
    if _answer(f"{question} [y/N] ").lower() not in ("y", "yes"):
        tell("Nothing was done.")
        raise typer.Exit(ExitStatus.FAILED)


def token() -> UUID:
    """Typed without echo; where standard input is no terminal, its first line."""
    text = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
    try:
        return UUID(text.strip())
    except ValueError as error:
        raise typer.BadParameter(
            "A token looks like 23e10bfa-ce68-4444-95dd-4af608f2bf47; this does not."
        ) from error


def _answer(question: str) -> str:
    typer.echo(question, nl=False, err=True)
    return sys.stdin.readline().strip()
