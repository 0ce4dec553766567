"""The operator's commands: migrate, sweep, doctor."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pigwav.cli.findings import Findings, Scrubbed, bytes_per_s

if TYPE_CHECKING:
    from pigwav.usecases.scrub import ReadBack
    from pigwav.wiring import Services

TELL_EVERY_S: Final = 10
"""How often a scrub says on a terminal how far it is."""

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
    """Remove what failed uploads and deletions left, and what was kept for PIGWAV_RETENTION_DAYS.

    `pigwav up` and `pigwav serve` do it by themselves.
    """
    with _services(data) as services:
        swept = services.sweep()
    if not swept.ran:
        typer.echo("Another process is sweeping.")
    else:
        expired = f" Expired: {swept.expired} recordings." if swept.expired else ""
        typer.echo(
            f"Given up: {swept.given_up} uploads.{expired} Removed: {swept.removed} recordings' bytes."
        )


def doctor(
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Move what no row explains to quarantine/ in the bucket; delete nothing."),
    ] = False,
    scrub: Annotated[
        bool,
        typer.Option(
            "--scrub", help="Also read recordings back, the least recently read first, and compare checksums."
        ),
    ] = False,
    scrub_for: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Begin no object after so long; the next --scrub goes on there."
        ),
    ] = None,
    scrub_rate: Annotated[
        str, typer.Option(metavar="BYTES", help="Read at most so much in a second: K, M, G are decimal.")
    ] = "50M",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    data: DataOption = Path("pigwav-data"),
) -> None:
    """Compare the database with the object store, beside the running service.

    --scrub ends after the object at hand on Ctrl-C; what is damaged is named and left as it is.

    Exit status: 0 they agree, 1 they do not, 2 could not check.
    """
    from pigwav.errors import PigWavError  # noqa: PLC0415

    rate = _scrub_rate(scrub_rate)
    if scrub_for is not None and not scrub:
        raise typer.BadParameter("is for --scrub.", param_hint="--scrub-for")
    findings = Findings()
    try:
        with _services(data) as services:
            _compare(services, findings, fix=fix)
            if scrub and not findings.broken_off:
                _scrub(services.scrub(bytes_per_s=rate, for_s=scrub_for), findings)
    except PigWavError as error:
        findings.broken_off = str(error)
    _tell(findings, as_json=as_json)
    raise typer.Exit(findings.exit_status())


def _scrub_rate(text: str) -> int:
    try:
        return bytes_per_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scrub-rate") from error


def _compare(services: "Services", findings: Findings, *, fix: bool) -> None:
    if not fix:
        findings.agreement = services.check_agreement()
        return
    findings.fixed = fixed = services.quarantine()
    findings.broken_off = fixed.broken_off
    if not fixed.broken_off:
        findings.agreement = fixed.left


def _scrub(looked_at: "Iterator[ReadBack]", findings: Findings) -> None:
    """What was found is kept, however it ends."""
    findings.scrubbed = scrubbed = Scrubbed()
    told_at_s = time.monotonic()
    with _stopping() as stopped:
        for one in looked_at:
            scrubbed.add(one)
            if stopped.is_set():
                break
            if sys.stderr.isatty() and time.monotonic() > told_at_s + TELL_EVERY_S:
                typer.echo(f"{scrubbed}", err=True)
                told_at_s = time.monotonic()


@contextmanager
def _stopping() -> Iterator[Event]:
    """Set by the first Ctrl-C (or SIGTERM); the second one ends the program at once."""
    stopped = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a signal handler
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(findings: Findings, *, as_json: bool) -> None:
    if findings.fixed and not findings.fixed.ran:
        typer.echo("pigwav: Another doctor is fixing; this one changed nothing.", err=True)
    if findings.agreement or findings.fixed:
        typer.echo(json.dumps(findings.as_json()) if as_json else findings.as_text())
    if findings.broken_off:
        typer.echo(f"pigwav: {findings.broken_off}", err=True)


@contextmanager
def _services(data: Path) -> "Iterator[Services]":
    """The configured parts, else those of the `pigwav up` on `data`, which are started where they are down."""
    from pigwav.devstack import stack_for  # noqa: PLC0415
    from pigwav.settings import LogFormat, read_port_range, read_settings  # noqa: PLC0415
    from pigwav.telemetry.logs import configure_logging  # noqa: PLC0415
    from pigwav.wiring import open_services  # noqa: PLC0415

    settings = read_settings()
    configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    if settings.configured():
        with open_services(settings) as services:
            yield services
        return
    with stack_for(data, new=False, ports=read_port_range(settings.embedded_ports)) as stack:
        os.environ.update(stack.environment())
        with open_services(read_settings()) as services:
            yield services
