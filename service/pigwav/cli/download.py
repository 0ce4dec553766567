"""`pigwav download`: links in, MP3s out."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from pigwav.cli.display import printable, say
from pigwav.cli.failures import Attempts, plain_failures
from pigwav.cli.progress import transfers
from pigwav.client import ClientError, PigWavClient

EXAMPLES: Final = """\b
Examples:
  pigwav download 'http://localhost:8080/record?id=afadaeeb-2842-41de-987c-ae31169310b5&user=1'
  pigwav download 'http://localhost:8080/record/afadaeeb-2842-41de-987c-ae31169310b5.mp3?user=1' -o take1.mp3
  pigwav list | cut -f 5 | xargs pigwav download -o ~/Music/
"""

OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|FOLDER",
        help="Where to save; a folder takes the names that the service gives. Default: this folder.",
        show_default=False,
    ),
]


class WouldOverwrite(ClientError):
    """The file is there already, and nobody said that it may go."""


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(download)


def download(
    links: Annotated[list[str], typer.Argument(metavar="LINK...", help="Links that an upload printed.")],
    *,
    output: OutputOption = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace files of the names that the service gives.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Save the MP3s behind links; their SHA-256 is checked. Needs no user.

    A download that broke off goes on where it ended when it is asked for again. Prints the names that it chose.
    """
    folder = _folder(output)
    if folder is None and len(links) > 1:
        raise typer.BadParameter(f"{printable(str(output))} is no folder, and {len(links)} links need one.")
    attempts, saved = Attempts(named=len(links) > 1), []
    try:
        with plain_failures(), PigWavClient() as client, transfers(len(links), quiet=quiet) as bars:
            for link in links:
                with attempts.one(link):
                    to = _target(client, link, output, folder, force=force)
                    with bars.following(to.name) as progress:
                        client.download(link, to, progress=progress)
                    saved.append(to)
    finally:
        if folder is not None:
            for to in saved:
                say(printable(str(to)))
    attempts.end()


def _folder(output: str | None) -> Path | None:
    """The folder to save in; None where `output` names the file itself."""
    if output is None:
        return Path()
    return Path(output) if output.endswith(os.sep) or Path(output).is_dir() else None


def _target(client: PigWavClient, link: str, output: str | None, folder: Path | None, *, force: bool) -> Path:
    """A name that the service gave must not cost a file that is there; one that the person gave may."""
    if folder is None:
        return Path(output or "")
    folder.mkdir(parents=True, exist_ok=True)
    to = folder / client.file_name(link)
    if to.exists() and not force:
        raise WouldOverwrite(f"{to} is there already: -f replaces it, -o gives another name.")
    return to
