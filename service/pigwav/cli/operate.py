"""The operator's commands for a database and a store: migrate, sweep."""

import typer

from pigwav.cli.configured import DEFAULT_DATA, DataOption, services_on


def add_commands(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(sweep)


def migrate() -> None:
    """Migrate the database schema to this release. Needs PIGWAV_DATABASE_URL."""
    from pigwav.db.migrate import upgrade  # noqa: PLC0415 - the base install has no server
    from pigwav.errors import NotConfigured  # noqa: PLC0415
    from pigwav.settings import read_settings  # noqa: PLC0415

    url = read_settings().database.url
    if url is None:
        raise NotConfigured("PIGWAV_DATABASE_URL is not set.")
    typer.echo(f"The schema is at revision {upgrade(url.get_secret_value())}.")


def sweep(data: DataOption = DEFAULT_DATA) -> None:
    """Remove leftover data and expired recordings.

    Removes the data of failed uploads and deleted recordings, and recordings older than PIGWAV_RETENTION_DAYS.
    `pigwav up` and `pigwav serve` do this automatically.
    """
    with services_on(data) as services:
        swept = services.sweep()
    if not swept.ran:
        typer.echo("Another process is sweeping.")
    else:
        expired = f" Expired: {swept.expired} recordings." if swept.expired else ""
        typer.echo(
            f"Aborted: {swept.aborted_uploads} uploads.{expired} Removed: {swept.removed} recordings' bytes."
        )
