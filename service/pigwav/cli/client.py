"""The user's commands: register, upload, download."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from pigwav.client import ClientError, PigWavClient
from pigwav.client.client import DEFAULT_URL
from pigwav.client.errors import CredentialsMissing
from pigwav.client.transfer import Progress

UrlOption = Annotated[str, typer.Option(envvar="PIGWAV_URL", help="Address of the service.")]
UserOption = Annotated[int | None, typer.Option(envvar="PIGWAV_USER", help="Your user id.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="PIGWAV_TOKEN", help="Your token; better in the environment, where others cannot see it."
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command()(register)
    app.command()(upload)
    app.command()(download)


def register(
    name: Annotated[str, typer.Argument(help="User name, not taken yet.")],
    url: UrlOption = DEFAULT_URL,
) -> None:
    """Register a user; prints the user id and the token, which is shown this once."""
    with _plain_errors(), PigWavClient(url) as client:
        registered = client.register(name)
    typer.echo(f"User ID: {registered.id}\nToken: {registered.token}")


def upload(
    file: Annotated[
        Path, typer.Argument(help="The WAV; - reads standard input.", dir_okay=False, allow_dash=True)
    ],
    title: Annotated[str | None, typer.Option(help="Title; else the file's name.")] = None,
    bitrate: Annotated[int | None, typer.Option(help="Bit rate of the MP3, in kb/s.")] = None,
    url: UrlOption = DEFAULT_URL,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Send a WAV; prints the link of its MP3."""
    wav = sys.stdin.buffer if str(file) == "-" else file
    with _plain_errors(), PigWavClient(url, user, token) as client, _progress(file.name) as progress:
        uploaded = client.upload(wav, title=title, bitrate_kbps=bitrate, progress=progress)
    typer.echo(uploaded.url)


def download(
    link: Annotated[str, typer.Argument(help="The link that an upload printed.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to save the MP3.", dir_okay=False)],
) -> None:
    """Fetch the MP3 behind a link."""
    with _plain_errors(), PigWavClient() as client, _progress(output.name) as progress:
        client.download(link, output, progress)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """One sentence on standard error and exit status 1, for what can go wrong without a bug."""
    try:
        yield
    except CredentialsMissing as error:
        sentence = f"{error} Set PIGWAV_USER and PIGWAV_TOKEN, or give --user and --token."
    except ClientError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        return
    typer.echo(f"pigwav: {sentence}", err=True)
    raise typer.Exit(1)


@contextmanager
def _progress(label: str) -> Iterator[Progress]:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done_bytes, total_bytes: bar.update(task, completed=done_bytes, total=total_bytes)
