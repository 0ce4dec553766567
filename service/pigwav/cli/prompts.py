"""Questions to a person at the terminal. Without a terminal, `confirm` fails instead of assuming an answer."""

import getpass
import sys
from uuid import UUID

import typer

from pigwav.cli.credentials import token_of
from pigwav.cli.failures import ExitStatus, UsageError
from pigwav.cli.standard_error import print_error


def confirm(question: str, *, yes: bool) -> None:
    """Returns if the person agrees, or if `yes` (the option -y) is set. Exits with status 1 if the person declines.

    Raises UsageError if standard input is not a terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Cannot ask for confirmation: standard input is not a terminal. Use -y to confirm.")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print_error("Nothing was done.")
        raise typer.Exit(ExitStatus.FAILED)


def token() -> UUID:
    """Asks for the token without echo, or reads the first line of standard input if it is not a terminal.

    Raises TokenMalformed.
    """
    return token_of(getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline())
