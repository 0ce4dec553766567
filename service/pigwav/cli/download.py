"""`pigwav download`: saves the MP3s of links or recording ids."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Final
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import typer

from pigwav.cli.credentials import GivenCredentials
from pigwav.cli.display import at_terminal, printable, say, standard_output
from pigwav.cli.failures import Attempts, UsageError, plain_failures, print_waiting
from pigwav.cli.progress import Transfers, transfers
from pigwav.cli.session import TokenOption, UrlOption, UserOption, signed_in
from pigwav.cli.targets import Folder, NamedFile
from pigwav.client import PigWavClient, wait_silently

EXAMPLES: Final = """\b
Examples:
  pigwav download 'http://localhost:8080/record?id=afadaeeb-2842-41de-987c-ae31169310b5&user=1'
  pigwav download afadaeeb-2842-41de-987c-ae31169310b5 -o take1.mp3
  pigwav download afadaeeb-2842-41de-987c-ae31169310b5 -o - | mpg123 -
  pigwav list | cut -f 5 | xargs -r pigwav download -o ~/Music/
"""

STANDARD_OUTPUT: Final = "-"
LISTENING_PAGE: Final = "/listen"

RecordingsArgument = Annotated[
    list[str],
    typer.Argument(metavar="LINK|ID...", help="Links, addresses of listening pages, or recording ids."),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|FOLDER|-",
        help="File or folder to save to; - is standard output. In a folder, the service names the files. "
        "Default: the current folder.",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(download)


def asked_for(text: str) -> UUID | str:
    """An id or a link; of a page, the link to what it plays. Raises UsageError if the shell cut it at an unquoted &."""
    try:
        return UUID(text)
    except ValueError:
        address = urlsplit(text)
        named = parse_qs(address.query)
    if "id" in named and "user" not in named:
        raise UsageError("The link is incomplete. Put it in quotes: the shell ends a command at &.")
    if not address.path.endswith(LISTENING_PAGE):
        return text
    played = urlencode([(name, named[name][0]) for name in ("id", "user") if name in named])
    path = address.path.removesuffix(LISTENING_PAGE) + "/record"
    return address._replace(path=path, query=played, fragment="").geturl()


def download(
    recordings: RecordingsArgument,
    *,
    output: OutputOption = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress or waits.")] = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Download MP3s and check their SHA-256.

    A link needs no credentials; an id must be of one of your recordings. If a download is interrupted, run the same
    command again to resume it. Files that are already complete are not downloaded again. If another file has the name
    that the service gives, the MP3 is saved as NAME (2).mp3. In a folder, prints the paths of the saved files.
    """
    with plain_failures():
        wanted = [*dict.fromkeys(map(asked_for, recordings))]
        place = _place(output, len(wanted), force=force)
        ids = any(isinstance(one, UUID) for one in wanted)
        on_wait = wait_silently if quiet else print_waiting
        attempts, saved = Attempts(named=len(wanted) > 1), []
        try:
            with (
                PigWavClient(on_wait=on_wait) as client,
                # looking up an id needs its owner's credentials; a link needs none
                signed_in(GivenCredentials(url, user, token), on_wait)
                if ids
                else nullcontext(client) as owner,
                transfers(len(wanted), quiet=quiet) as bars,
            ):
                for one in wanted:
                    with attempts.one(str(one)):
                        link = owner.show(one).url if isinstance(one, UUID) else one
                        saved.append(_fetch(client, link, place, bars))
        finally:
            if isinstance(place, Folder):
                for to in saved:
                    say(printable(str(to)))
    attempts.end()


def _place(output: str | None, count: int, *, force: bool) -> Folder | NamedFile | BinaryIO:
    """The file or folder to save to; a stream for `-`. Raises UsageError."""
    if output is None or output.endswith(os.sep) or Path(output).is_dir():
        return Folder(Path(output or ""), force)
    if count > 1:
        raise UsageError(f"{printable(output)} is not a folder, and {count} recordings need one.")
    if output != STANDARD_OUTPUT:
        return NamedFile(Path(output), force)
    if at_terminal():
        raise UsageError("Standard output is a terminal: pipe the MP3 into something.")
    return standard_output().buffer


def _fetch(client: PigWavClient, link: str, place: Folder | NamedFile | BinaryIO, bars: Transfers) -> Path:
    """The path of the saved file; `-` for a stream."""
    offered = client.peek(link)
    if isinstance(place, Folder | NamedFile):
        target = place.target(offered)
        with bars.following(target.path.name) as progress:
            if not target.there:
                client.download(link, target.path, progress=progress)
        return target.path
    done_bytes = 0
    with bars.following(offered.name) as progress, client.stream(link) as blocks:
        for block in blocks:
            place.write(block)
            done_bytes += len(block)
            progress(done_bytes, offered.size_bytes)
    place.flush()
    return Path(STANDARD_OUTPUT)
