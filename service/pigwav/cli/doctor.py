"""`pigwav doctor`: do rows and objects agree?"""

import json
from typing import Annotated, Final

import typer

from pigwav.cli.agreement_report import AgreementReport
from pigwav.cli.configured import DEFAULT_DATA, DataOption, services_on
from pigwav.cli.scrubbing import Scrubbed, bytes_per_s

DEFAULT_RATE: Final = "50M"

FixOption = Annotated[
    bool,
    typer.Option("--fix", help="Move what no row explains to quarantine/ in the bucket; delete nothing."),
]
ScrubOption = Annotated[
    bool,
    typer.Option(
        "--scrub", help="Also read recordings back, the least recently read first, and compare checksums."
    ),
]
ScrubForOption = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="Begin no object after so long; the next --scrub goes on there."
    ),
]
ScrubRateOption = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES",
        help=f"Read at most so much in a second, by default {DEFAULT_RATE}; K, M, G are decimal.",
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
    """Compare the database with the object store, beside the running service.

    --scrub ends after the object at hand on Ctrl-C; what is damaged is named and left as it is.

    Exit status: 0 they agree, 1 they do not, 2 could not check.
    """
    from pigwav.errors import PigWavError  # noqa: PLC0415 - the base install has no server

    for option, value in (("--scrub-for", scrub_for), ("--scrub-rate", scrub_rate)):
        if value is not None and not scrub:
            raise typer.BadParameter("is for --scrub.", param_hint=option)
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
            if scrub and not report.broken_off:
                report.scrubbed = Scrubbed()  # what was found is kept, however it ends
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
        typer.echo("pigwav: Another doctor is fixing; this one changed nothing.", err=True)
    if report.agreement or report.fixed:
        typer.echo(json.dumps(report.as_json()) if as_json else report.as_text())
    if report.broken_off:
        typer.echo(f"pigwav: {report.broken_off}", err=True)
