"""The program `pigwav`. Errors are one sentence on standard error; tracebacks are for bugs."""

import sys
from typing import NoReturn

import typer

from pigwav.cli import account, download, library, operate, provision, serve, settings, up, upload, users
from pigwav.errors import PigWavError

EXIT_FAILED = 1


def build_app() -> typer.Typer:
    app = typer.Typer(
        name="pigwav",
        help="Recordings in, MP3 out, on your own object storage.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for part in (account, upload, download, library, up, serve, operate, provision, users, settings):
        part.add_commands(app)
    return app


def main() -> NoReturn:
    try:
        build_app()()
    except PigWavError as error:
        sys.exit(_failed(str(error)))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pigwav"):
            raise
        sys.exit(_failed(f"{error.name} is not installed: this command needs pip install 'pigwav[embedded]'"))
    sys.exit(0)


def _failed(sentence: str) -> int:
    typer.echo(f"pigwav: {sentence}", err=True)
    return EXIT_FAILED
