"""`pigwav settings`: what holds, without secrets."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pigwav.settings import Effective


def add_commands(app: typer.Typer) -> None:
    app.command()(settings)


def settings(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON.")] = False
) -> None:
    """Every setting of the service, as it holds here; secrets are ***."""
    from pigwav.settings import effective, read_settings  # noqa: PLC0415 - the base install has no server

    found = [*effective(read_settings())]
    typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False) if as_json else _listed(found))


def _listed(found: "list[Effective]") -> str:
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def _lines(one: "Effective") -> Iterator[str]:
    """As in a .env file: a sentence, then the variable and its value."""
    name, *others = one.variables
    yield f"# {one.description}"
    remarks = [f"also: {other}" for other in others]
    if one.value != one.default:
        remarks.append(f"default: {one.default or 'not set'}")
    if remarks:
        yield f"# ({'; '.join(remarks)})"
    yield f"{name}={one.value}"
