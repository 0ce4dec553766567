"""What people see: text that cannot drive a terminal, lengths, sizes, times, tables, JSON."""

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

_GAP: Final = 2  # cells between two columns
_LEAST_FIRST: Final = 24  # cells to which the first column may shrink
_MEASURED_ROWS: Final = 200  # a page of the service's


def standard_output() -> TextIO:
    """Raises OSError where there is none."""
    if sys.stdout is None:  # `>&-`
        raise OSError(errno.EBADF, "Standard output is closed.")
    return sys.stdout


def say(text: str) -> None:
    """A line on standard output; what its encoding lacks is escaped. Raises OSError."""
    encoding = standard_output().encoding or "utf-8"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def printable(text: str) -> str:
    """`text` with everything escaped that moves a cursor, breaks a line or turns text around: it came from others."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if is_harmful(char) else char for char in text
    )


def json_text(value: Any) -> str:
    """One line. In JSON such characters stand in strings alone, where an escape means the same."""
    return "".join(
        f"\\u{ord(char):04x}" if is_harmful(char) else char for char in json.dumps(value, ensure_ascii=False)
    )


def print_json_array(objects: Iterable[Mapping[str, Any]]) -> None:
    """One array, an object a line, as they come: however many there are, one is held."""
    opening = "["
    for one in objects:
        say(opening + json_text(one))
        opening = ","
    say("]" if opening == "," else "[]")


def length(duration_ms: int) -> str:
    """As a player shows it; below a minute with tenths."""
    if duration_ms < 59_950:
        return f"{duration_ms / 1000:.1f} s"
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def size(size_bytes: int) -> str:
    """In decimal units, as disks and S3 consoles count: 1.2 MB."""
    return decimal(size_bytes)


def local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def shortened(text: str, cells: int) -> str:
    """`text` in at most so many cells of a terminal."""
    short = Text(text)
    short.truncate(cells, overflow="ellipsis")
    return short.plain


def at_terminal() -> bool:
    """Whether standard output is one: tables and colours for eyes there, plain lines for programs elsewhere."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns for a terminal: text, what is read from the right, and a link. Nothing where there are no rows.

    Rows are printed as they come; the first 200 decide how wide the columns are, and no more are held. Therefore this
    is not `rich.table`, which holds all rows before it prints one. It would also break a link that is longer than the
    line, so that it could not be copied: here it stands whole on a line of its own. The first column gives way.
    """
    rows = iter(rows)
    measured = list(islice(rows, _MEASURED_ROWS))
    if not measured:
        return
    console = Console(highlight=False)
    first, *numbers, link = (max(map(cell_len, column)) for column in zip(heads, *measured, strict=True))
    left = console.width - sum(numbers) - _GAP * len(numbers)
    link_fits = left - _GAP - link >= min(first, _LEAST_FIRST)
    first = min(first, left - _GAP - link if link_fits else max(left, _LEAST_FIRST))
    for style, row in chain([("bold", heads)], (("", row) for row in chain(measured, rows))):
        cells = [Text(cell, overflow="ellipsis") for cell in row[:-1]]
        cells[0].align("left", first)
        for cell, width in zip(cells[1:], numbers, strict=True):
            cell.align("right", width)
        line = Text(" " * _GAP, style).join([*cells, Text(row[-1])] if link_fits else cells)
        line.rstrip()
        console.print(line, soft_wrap=True)
        if not link_fits and row is not heads:
            console.print(Text(" " * _GAP + row[-1], style="dim"), soft_wrap=True)
