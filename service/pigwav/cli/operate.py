"""The operator's commands for a database and a store: migrate, sweep."""

from typing import Final

import typer

from pigwav.cli.configured import DEFAULT_DATA, DataOption, services_on, settings_without_logs

_KEPT: Final = {
    "not-permitted": "the bucket is versioned and the access key may not list or delete versions"
    " (s3:ListBucketVersions, s3:DeleteObjectVersion); pigwav doctor names the rule that removes them",
    "locked": "the bucket keeps them under an object lock; pigwav doctor names the rule that removes them afterwards",
}
"""By `pigwav.store.base.Kept`, which the base install does not have."""


def add_commands(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(sweep)


def migrate() -> None:
    """Migrate the database schema to this release. Needs PIGWAV_DATABASE_URL.

    If PIGWAV_MIGRATE_DATABASE_URL is set, this URL's role owns the schema. Then the role in PIGWAV_DATABASE_URL is
    created if it does not exist, may do the service's work only, and is tested. Can be run again at any time.
    """
    from pigwav.db.migrate import upgrade  # noqa: PLC0415 - the base install has no server
    from pigwav.db.url import with_password  # noqa: PLC0415
    from pigwav.errors import NotConfigured, NotProvisioned  # noqa: PLC0415
    from pigwav.provisioning.service_role import OWNER, ServiceRole, one_role  # noqa: PLC0415
    from pigwav.provisioning.steps import State  # noqa: PLC0415

    settings = settings_without_logs()
    service, owner = settings.database.url, settings.migrate.database_url
    if service is None:
        raise NotConfigured("PIGWAV_DATABASE_URL is not set.")
    if owner is None:
        typer.echo(f"The schema is at revision {upgrade(service.get_secret_value())}.")
        if warning := one_role(service.get_secret_value()):
            typer.echo(warning)
        return
    password = settings.migrate.database_password
    owner_url = with_password(
        owner.get_secret_value(), password.get_secret_value() if password else None, OWNER
    )
    role = ServiceRole(owner_url, service.get_secret_value())
    typer.echo(f"The schema is at revision {upgrade(owner_url, setting=OWNER)}.")
    states = set()
    for step in role.run():
        typer.echo(step)
        states.add(step.state)
    if states & {State.WRONG, State.TO_DO}:
        raise NotProvisioned("The role of PIGWAV_DATABASE_URL is not limited to the service's work.")


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
        for reason, count in swept.kept.items():
            typer.echo(f"Not removed: {count} deleted recordings' bytes, because {_KEPT[reason]}.")
