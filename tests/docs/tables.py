"""Generates tables of the documents from the code.

python tests/docs/tables.py        # writes them into service/docs/, between their markers
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import results
from pigwav.api.openapi import leaves
from pigwav.api.problems import status_of
from pigwav.audio.foreign_formats import FORMATS
from pigwav.errors import CannotStart
from pigwav.settings import Settings
from pigwav.settings.section import Section, section_of, variables_of
from pigwav.telemetry.metrics import Metrics

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
ERRORS: Final = ROOT / "service" / "docs" / "errors.md"
FORMATS_PAGE: Final = ROOT / "service" / "docs" / "formats.md"
SETTINGS: Final = ROOT / "service" / "docs" / "settings.md"
PERFORMANCE: Final = ROOT / "service" / "docs" / "performance.md"
_FRAMEWORK_ERRORS: Final = (
    (404, "not-found", "Not Found"),
    (405, "method-not-allowed", "Method Not Allowed"),
    (500, "internal-error", "Something went wrong on the server."),
)


def settings_table() -> str:
    rows = [*_settings(Settings)]
    return _table(("Variable", "Default", "What it is"), rows)


def errors_table() -> str:
    """The table of problem codes. All errors with status 500 appear as `internal-error`."""
    named = {
        (status_of(kind), kind.code, kind.title()) for kind in leaves() if not issubclass(kind, CannotStart)
    }
    told = {row for row in named if row[0] != 500} | {*_FRAMEWORK_ERRORS}
    rows = [(str(status), f"`{code}`", title) for status, code, title in sorted(told)]
    return _table(("Status", "`code`", "`title`"), rows)


def metrics_table() -> str:
    rows = [
        (f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`", metric.type, metric.documentation)
        for metric in Metrics().families()
    ]
    return _table(("Metric", "Type", "What it says"), rows)


def found_table() -> str:
    """What a body is if it is not a WAV: the member `found` and the sentences of `detail`."""
    rows = [(f"`{found}`", plain.name, plain.advice) for found, plain in FORMATS.items()]
    return _table(("`found`", "What it is", "What to do"), rows)


def performance_table(section: str) -> str:
    """What the last run of `python -m tests.bench` measured."""
    _, sections = results.read(PERFORMANCE.with_suffix(".json"))
    return results.table(sections[section]) + "\n"


TABLES: Final[dict[Path, dict[str, Callable[[], str]]]] = {
    SETTINGS: {"settings": settings_table, "metrics": metrics_table},
    ERRORS: {"errors": errors_table},
    FORMATS_PAGE: {"found": found_table},
    PERFORMANCE: {
        section: partial(performance_table, section)
        for section in ("uploads", "clips", "downloads", "memory", "growth")
    },
}


def written(document: Path) -> str:
    """The document's text with up-to-date tables."""
    text = document.read_text()
    for name, table in TABLES[document].items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            sys.exit(f"{document} has no markers for {name}")
        text = before + begin + table() + end + after
    return text


def _settings(section: type[Section]) -> Iterator[tuple[str, str, str]]:
    for name, field in section.model_fields.items():
        if inner := section_of(field):
            yield from _settings(inner)
        else:
            variables = " or ".join(f"`{variable}`" for variable in variables_of(section, name))
            default = "by cores" if field.default_factory else _plain(field.default)
            yield variables, default, field.description or ""


def _plain(default: object) -> str:
    if default is None or default == "" or isinstance(default, SecretStr):
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for document in TABLES:
        document.write_text(written(document))
