"""Output for people and programs: text without control characters, lengths, sizes, times, tables, JSON."""

import errno
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from pigwav.client.file_names import is_harmful

INDENT_CELLS: Final = 2
"""Cells before a line below a row, and between two columns."""
_MIN_FIRST_CELLS: Final = 24  # cells to which the first column may shrink
_MEASURED_ROWS: Final = 200  # the service's largest page


def standard_output() -> TextIO:
    """Raises OSError if standard output is closed."""
    if sys.stdout is None:  # `>&-`
        raise OSError(errno.EBADF, "Standard output is closed.")
    return sys.stdout


def say(text: str) -> None:
    """Prints a line on standard output. Characters that its encoding lacks are escaped. Raises OSError."""
    encoding = standard_output().encoding or "utf-8"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def printable(text: str) -> str:
    """`text` from outside, with every character escaped that moves the cursor, breaks the line or changes the text
    direction.
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii") if is_harmful(char) else char for char in text
    )


def json_text(value: Any) -> str:
    """`value` as one line of JSON. Harmful characters occur only inside strings, where an escape means the same."""
    return "".join(
        f"\\u{ord(char):04x}" if is_harmful(char) else char for char in json.dumps(value, ensure_ascii=False)
    )


def print_json_array(objects: Iterable[Mapping[str, Any]]) -> None:
    """Prints one JSON array, one object per line. Holds only one object in memory."""
    opening = "["
    for one in objects:
        say(opening + json_text(one))
        opening = ","
    say("]" if opening == "," else "[]")


def length(duration_ms: int) -> str:
    """A duration as a player shows it; below a minute in seconds with tenths."""
    if duration_ms < 59_950:
        return f"{duration_ms / 1000:.1f} s"
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def size(size_bytes: int) -> str:
    """A size in decimal units, as disks and S3 consoles show it: 1.2 MB."""
    return decimal(size_bytes)


def local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def shortened(text: str, cells: int) -> str:
    """`text`, cut to at most this many terminal cells."""
    short = Text(text)
    short.truncate(cells, overflow="ellipsis")
    return short.plain


def at_terminal() -> bool:
    """Whether standard output is a terminal. People get tables and colours there; programs get plain lines."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_cells() -> int:
    """The width of the terminal; 80 if there is none."""
    return Console().width


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table for a terminal: a text column, right-aligned columns, and a link. Prints nothing without rows.
    Cells of a row beyond the heads are printed below it, each on its own line.

    Only the first 200 rows are held in memory; they decide the column widths. The first column is shortened to fit.
    A link that does not fit is printed on its own line.

    Why not `rich.table`: it holds all rows before it prints one, and it breaks a long link so that it cannot be copied.
    """
    rows = iter(rows)
    measured = list(islice(rows, _MEASURED_ROWS))
    if not measured:
        return
    console = Console(highlight=False)
    in_columns = (row[: len(heads)] for row in measured)
    first, *numbers, link = (max(map(cell_len, column)) for column in zip(heads, *in_columns, strict=True))
    left = console.width - sum(numbers) - INDENT_CELLS * len(numbers)
    link_fits = left - INDENT_CELLS - link >= min(first, _MIN_FIRST_CELLS)
    first = min(first, left - INDENT_CELLS - link if link_fits else max(left, _MIN_FIRST_CELLS))
    for style, row in chain([("bold", heads)], (("", row) for row in chain(measured, rows))):
        *row_cells, row_link = row[: len(heads)]
        cells = [Text(cell, overflow="ellipsis") for cell in row_cells]
        cells[0].align("left", first)
        for cell, width in zip(cells[1:], numbers, strict=True):
            cell.align("right", width)
        line = Text(" " * INDENT_CELLS, style).join([*cells, Text(row_link)] if link_fits else cells)
        line.rstrip()
        console.print(line, soft_wrap=True)
        if not link_fits and row is not heads:
            console.print(Text(" " * INDENT_CELLS + row_link, style="dim"), soft_wrap=True)
        for below in row[len(heads) :]:
            console.print(Text(" " * INDENT_CELLS + below, style="dim"), soft_wrap=True)
