"""`pigwav up`: the service with its own database and object store, in one command."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pigwav.cli.configured import DEFAULT_DATA, settings_with_logs

DATA: Final = typer.Option(
    help="Data folder of the embedded Postgres and S3 server.",
    readable=False,  # devstack checks it, with a one-sentence error
)


def add_commands(app: typer.Typer) -> None:
    app.command()(up)


def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8080,
    data: Annotated[Path, DATA] = DEFAULT_DATA,
    workers: Annotated[int, typer.Option(min=1, help="Number of API processes.")] = 1,
) -> None:
    """Start the service with everything that it needs.

    Starts the API and, if no database and no object store are configured, an embedded Postgres and S3 server.
    """
    from pigwav.cli.core_dumps import disable_core_dumps  # noqa: PLC0415 - Windows has no such limit
    from pigwav.devstack.supervisor import Up  # noqa: PLC0415 - the base install has no server

    disable_core_dumps()
    Up(settings_with_logs(), host, port, data, workers, on_ready=_print_ready, on_stop=_print_stopping).run()


def _print_ready(url: str) -> None:
    """Prints three commands to copy; each needs values from the output of the one before."""
    typer.echo(
        f"PigWav is ready: {url}\n\n"
        f"curl {url}/users -d name=NAME\n"
        f"curl {url}/records -F user_id=USER_ID -F token=TOKEN -F file=@recording.wav\n"
        f"curl -o recording.mp3 '{url}/record?id=RECORDING_ID&user=USER_ID'"
    )


def _print_stopping(grace_s: float) -> None:
    typer.echo(
        f"Stopping; open uploads get up to {grace_s:g} s. Press Ctrl-C again to stop at once.", err=True
    )
