"""`pigwav measure`: levels and waveforms of recordings that were stored without them."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pigwav.cli.configured import DEFAULT_DATA, DataOption, services_on
from pigwav.cli.display import printable
from pigwav.cli.interruptible import until_stopped

if TYPE_CHECKING:
    from pigwav.usecases.measure import Visited

MEASURED: Final = 0
NOT_ALL_MEASURED: Final = 1
BROKEN_OFF: Final = 2

_WHY: Final = {
    "missing": "the object is missing (restore this key from your backup)",
    "damaged": "the stored bytes differ from the acknowledged recording (restore this key from your backup)",
    "undecodable": "ffmpeg could not decode the MP3",
    "unreadable": "the object store has this object but cannot read it",
}
"""By `pigwav.usecases.measure.Outcome`, which the base install does not have."""


@dataclass
class MeasureReport:
    """The report of one run. `failed`: keys and outcomes. `broken_off`: why the run stopped early, if it did."""

    measured: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    broken_off: str | None = None

    @property
    def visited(self) -> int:
        return self.measured + len(self.failed)

    def add(self, one: "Visited") -> None:
        if one.outcome == "measured":
            self.measured += 1
        elif one.outcome in _WHY:
            self.failed[one.key] = str(one.outcome)

    def exit_status(self) -> int:
        if self.broken_off:
            return BROKEN_OFF
        return NOT_ALL_MEASURED if self.failed else MEASURED

    def as_json(self) -> dict[str, Any]:
        found: dict[str, list[str]] = {outcome: [] for outcome in _WHY}
        for key, outcome in self.failed.items():
            found[outcome].append(key)
        return {"measured": self.measured, **found}

    def as_text(self) -> str:
        """One line for each recording that was not measured, then the totals."""
        lines = [f"{printable(key)}: {_WHY[outcome]}" for key, outcome in self.failed.items()]
        return "\n".join([*lines, f"{self}."])

    def __str__(self) -> str:
        counts = Counter(self.failed.values())
        return ", ".join(
            [
                f"{self.measured} recordings measured",
                *(f"{count} {outcome}" for outcome, count in counts.items()),
            ]
        )


def add_commands(app: typer.Typer) -> None:
    app.command()(measure)


def measure(
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure only this many recordings.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Measure recordings that were stored without levels or a waveform. The service may keep running.

    Decodes one MP3 after the other. On Ctrl-C it finishes the current recording first; the next run continues there.
    Clipping, and how two channels relate, cannot be measured from an MP3.

    Exit status: 0 no recording failed, 1 some could not be measured, 2 the run was broken off.
    """
    from pigwav.errors import PigWavError  # noqa: PLC0415 - the base install has no server

    report = MeasureReport()
    try:
        with services_on(data) as services:
            for one in until_stopped(services.measure(), report):
                report.add(one)
                if report.measured == limit:
                    break
    except PigWavError as error:
        report.broken_off = str(error)
    if report.visited or not report.broken_off:
        typer.echo(json.dumps(report.as_json()) if as_json else report.as_text())
    if report.broken_off:
        typer.echo(f"pigwav: {report.broken_off}", err=True)
    raise typer.Exit(report.exit_status())
