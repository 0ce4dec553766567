"""`pigwav settings`: the settings in effect, without secrets."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pigwav.cli.configured import settings_without_logs

if TYPE_CHECKING:
    from pigwav.settings import Effective


def add_commands(app: typer.Typer) -> None:
    app.command()(settings)


def settings(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON.")] = False
) -> None:
    """Print every setting of the service with its value here. Secrets are shown as ***."""
    from pigwav.settings import effective  # noqa: PLC0415 - the base install has no server

    found = [*effective(settings_without_logs())]
    typer.echo(
        json.dumps([asdict(one) for one in found], ensure_ascii=False)
        if as_json
        else "\n\n".join(map(_lines, found))
    )


def _lines(one: "Effective") -> str:
    """A setting in the format of a .env file: its description as a comment, then the variable and its value."""
    name, *others = one.variables
    remarks = [f"also: {other}" for other in others]
    if one.value != one.default:
        remarks.append(f"default: {one.default or 'not set'}")
    told = f"# ({'; '.join(remarks)})\n" if remarks else ""
    return f"# {one.description}\n{told}{name}={one.value}"
