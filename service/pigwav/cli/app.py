"""The program `pigwav`. It prints an error as one sentence on standard error; a traceback means a bug."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pigwav.cli.lazy_commands import LazyCommands, add_stubs, new_app
from pigwav.errors import PigWavError

EXIT_FAILED = 1


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        for line in _versions():
            typer.echo(line)
        raise typer.Exit


def _versions() -> Iterator[str]:
    """PigWav's version on the first line, then those of the embedded programs.

    Settings are not loaded, because that takes 0.2 s.
    """
    from importlib.metadata import version  # noqa: PLC0415 - takes as long as all that `--help` needs

    from pigwav.embedded import embedded_versions, version_of_postgres  # noqa: PLC0415

    yield version("pigwav")
    for name, number in embedded_versions():
        yield f"{name} {number}"
    if named := os.environ.get("PIGWAV_POSTGRES_BIN"):
        yield f"Postgres {version_of_postgres(Path(named)) or '(unknown)'} in {named} (PIGWAV_POSTGRES_BIN)"


def build_app() -> typer.Typer:
    app = new_app(LazyCommands)

    @app.callback()
    def program(
        *,
        _version: Annotated[
            bool,
            typer.Option(
                "--version",
                callback=_print_version,
                is_eager=True,
                help="Print the versions of PigWav and of the embedded programs.",
            ),
        ] = False,
    ) -> None:
        """Upload WAV recordings and download them as MP3, on your own object storage."""

    add_stubs(app)
    return app


def main() -> NoReturn:
    try:
        build_app()()
    except PigWavError as error:
        sys.exit(_failed(str(error)))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pigwav"):
            raise
        sys.exit(_failed("The server is not installed. Install it with: pip install 'pigwav[embedded]'"))
    sys.exit(0)


def _failed(sentence: str) -> int:
    typer.echo(f"pigwav: {sentence}", err=True)
    return EXIT_FAILED
