"""`pigwav doctor`: checks that database rows and stored objects agree."""

import json
from typing import Annotated, Final

import typer

from pigwav.cli.agreement_report import AgreementReport
from pigwav.cli.configured import DEFAULT_DATA, DataOption, services_on
from pigwav.cli.scrubbing import Scrubbed, bytes_per_s

DEFAULT_RATE: Final = "50M"

FixOption = Annotated[
    bool,
    typer.Option("--fix", help="Move objects without a row to quarantine/ in the bucket; delete no data."),
]
ScrubOption = Annotated[
    bool,
    typer.Option(
        "--scrub", help="Also read stored recordings and check their SHA-256, least recently checked first."
    ),
]
ScrubForOption = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="Start no object after this time; the next --scrub continues there."
    ),
]
ScrubRateOption = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES",
        help=f"Read at most this many bytes per second, by default {DEFAULT_RATE}; K, M, G are decimal.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    *,
    fix: FixOption = False,
    scrub: ScrubOption = False,
    scrub_for: ScrubForOption = None,
    scrub_rate: ScrubRateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Check that database rows and stored objects agree. The service may keep running.

    If the bucket is versioned, also counts what it keeps of deleted recordings, and names the rule to set.

    --scrub reports damaged objects and does not change them. On Ctrl-C it finishes the current object first.

    Exit status: 0 they agree, 1 they do not agree, 2 the check failed.
    """
    from pigwav.errors import PigWavError  # noqa: PLC0415 - the base install has no server

    for option, value in (("--scrub-for", scrub_for), ("--scrub-rate", scrub_rate)):
        if value is not None and not scrub:
            raise typer.BadParameter("needs --scrub.", param_hint=option)
    rate = _scrub_rate(scrub_rate or DEFAULT_RATE)
    report = AgreementReport()
    try:
        with services_on(data) as services:
            if fix:
                report.fixed = fixed = services.quarantine()
                report.broken_off = fixed.broken_off
                report.agreement = None if fixed.broken_off else fixed.left
            else:
                report.agreement = services.check_agreement()
            if not report.broken_off:
                report.bucket, report.kept = services.settings.store.bucket or "", services.count_kept()
            if scrub and not report.broken_off:
                report.scrubbed = Scrubbed()  # set first: the report keeps its findings if the scrub fails
                report.scrubbed.add_all(services.scrub(bytes_per_s=rate, for_s=scrub_for))
    except PigWavError as error:
        report.broken_off = str(error)
    _tell(report, as_json=as_json)
    raise typer.Exit(report.exit_status())


def _scrub_rate(text: str) -> int:
    try:
        return bytes_per_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scrub-rate") from error


def _tell(report: AgreementReport, *, as_json: bool) -> None:
    if report.fixed and not report.fixed.ran:
        typer.echo("pigwav: Another `pigwav doctor --fix` is running; this one changed nothing.", err=True)
    if report.agreement or report.fixed:
        typer.echo(json.dumps(report.as_json()) if as_json else report.as_text())
    if report.broken_off:
        typer.echo(f"pigwav: {report.broken_off}", err=True)
