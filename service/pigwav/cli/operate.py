"""The operator's commands: migrate, sweep, doctor."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from pigwav.usecases.check_agreement import Agreement
    from pigwav.wiring import Services

DISAGREE: Final = 1
COULD_NOT_CHECK: Final = 2

DataOption = Annotated[
    Path,
    typer.Option(
        readable=False,  # else typer says it in several lines
        help="Data folder of `pigwav up`; not looked at where a database and a store are configured.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(sweep)
    app.command()(doctor)


def migrate() -> None:
    """Bring the database's schema to this release. Needs PIGWAV_DATABASE_URL."""
    from pigwav.db.migrate import upgrade  # noqa: PLC0415 - the base install has no server
    from pigwav.errors import NotConfigured  # noqa: PLC0415
    from pigwav.settings import read_settings  # noqa: PLC0415

    url = read_settings().database.url
    if url is None:
        raise NotConfigured("PIGWAV_DATABASE_URL is not set.")
    typer.echo(f"The schema is at revision {upgrade(url.get_secret_value())}.")


def sweep(data: DataOption = Path("pigwav-data")) -> None:
    """Remove what failed uploads and deletions left. `pigwav up` and `pigwav serve` do it by themselves."""
    with _services(data) as services:
        swept = services.sweep()
    if not swept.ran:
        typer.echo("Another process is sweeping.")
    else:
        typer.echo(f"Given up: {swept.given_up} uploads. Removed: {swept.removed} recordings' bytes.")


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    data: DataOption = Path("pigwav-data"),
) -> None:
    """Compare the database with the object store.

    Exit status: 0 they agree, 1 they do not, 2 could not check.
    """
    from pigwav.errors import PigWavError  # noqa: PLC0415

    try:
        with _services(data) as services:
            agreement = services.check_agreement()
    except PigWavError as error:
        typer.echo(f"pigwav: {error}", err=True)
        raise typer.Exit(COULD_NOT_CHECK) from error
    typer.echo(json.dumps(asdict(agreement)) if as_json else _report(agreement))
    raise typer.Exit(0 if agreement.agreed else DISAGREE)


def _report(agreement: "Agreement") -> str:
    findings = (
        ("a ready recording without its object", agreement.missing),
        ("an object without its recording", agreement.orphans),
        ("an upload whose process vanished (pigwav sweep removes it)", agreement.pending),
        ("an open multipart upload of no live upload", agreement.open_uploads),
    )
    lines = [f"{key}: {what}" for what, keys in findings for key in keys]
    end = "Rows and objects agree" if agreement.agreed else "Rows and objects do not agree"
    return "\n".join([*lines, f"{end}: {agreement.checked} recordings checked."])


@contextmanager
def _services(data: Path) -> "Iterator[Services]":
    """The configured parts, else those of the `pigwav up` on `data`, which are started where they are down."""
    from pigwav.devstack import stack_for  # noqa: PLC0415
    from pigwav.settings import LogFormat, read_settings  # noqa: PLC0415
    from pigwav.telemetry.logs import configure_logging  # noqa: PLC0415
    from pigwav.wiring import open_services  # noqa: PLC0415

    settings = read_settings()
    configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    if settings.configured():
        with open_services(settings) as services:
            yield services
        return
    with stack_for(data, new=False) as stack:
        os.environ.update(stack.environment())
        with open_services(read_settings()) as services:
            yield services
