"""`pigwav up`: the service with its own database and object store, in one command."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pigwav.cli.configured import DEFAULT_DATA, settings_with_logs

if TYPE_CHECKING:
    from pigwav.settings import Settings

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
    from pigwav.devstack.supervisor import Plan  # noqa: PLC0415 - the base install has no server

    disable_core_dumps()
    settings = settings_with_logs()
    configured = settings.configured()
    _check(settings, configured=configured)
    argv = Plan(
        host=host,
        port=port,
        data=str(data),
        workers=workers,
        embedded=not configured,
        operator=settings.http.operator_address(),
        grace_s=settings.http.grace_s,
        drain_s=settings.http.drain_s,
        pool_size=settings.database.pool_size,
        postgres_bin=str(settings.postgres_bin) if settings.postgres_bin else None,
        embedded_ports=settings.embedded_ports,
        watches_disk=not settings.disk.folders,
    ).argv()
    os.execv(argv[0], argv)  # noqa: S606 - its process keeps no more than it needs


def _check(settings: "Settings", *, configured: bool) -> None:
    """Reports errors once that would otherwise end every API process. Raises NotConfigured."""
    from pigwav.audio.ffmpeg import find_ffmpeg  # noqa: PLC0415 - the base install has no server

    find_ffmpeg(settings.encoder.ffmpeg)
    settings.disk.paths()
    if configured:
        from pigwav.db.session import Database  # noqa: PLC0415 - only needed here
        from pigwav.store.s3 import open_s3  # noqa: PLC0415

        Database.open(settings.database).close()
        open_s3(settings.store).close()
