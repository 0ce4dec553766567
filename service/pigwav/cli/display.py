"""What people see: text that cannot drive a terminal, lengths, sizes, times, tables, JSON."""

import errno
import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

_BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_GAP: Final = 2  # cells between two columns
_LEAST_FIRST: Final = 24  # cells to which the first column may shrink


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
    return "".join(_escaped(char) if _drives_a_terminal(char) else char for char in text)


def json_text(value: Any) -> str:
    """One line. In JSON such characters stand in strings alone, where an escape means the same."""
    return "".join(
        f"\\u{ord(char):04x}" if _drives_a_terminal(char) else char
        for char in json.dumps(value, ensure_ascii=False)
    )


def _drives_a_terminal(char: str) -> bool:
    return char in _BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


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


class Table:
    """Columns for a terminal. The first gives way to the others; the last, a link, is never shortened.

    Where a link does not fit in the line, it stands on its own below: it can be copied as a whole.
    """

    def __init__(self, heads: Sequence[str], first_rows: Sequence[Sequence[str]]) -> None:
        """The columns are as wide as `heads` and `first_rows` need."""
        self._console = Console(highlight=False)
        self._heads = heads
        widths = [max(map(cell_len, column)) for column in zip(heads, *first_rows, strict=True)]
        others = sum(widths[1:-1]) + _GAP * (len(widths) - 2)
        first = self._console.width - others - _GAP - widths[-1]
        self._link_fits = first >= min(widths[0], _LEAST_FIRST)
        if not self._link_fits:
            first = max(self._console.width - others, _LEAST_FIRST)
        self._widths = [min(widths[0], first), *widths[1:-1]]

    def print_heads(self) -> None:
        self._print(self._line(self._heads, style="bold", link=self._link_fits))

    def print_row(self, row: Sequence[str]) -> None:
        self._print(self._line(row, link=self._link_fits))
        if not self._link_fits:
            self._print(Text(" " * _GAP + row[-1], style="dim"))

    def _line(self, row: Sequence[str], *, style: str = "", link: bool) -> Text:
        line = Text(style=style)
        for index, (cell, width) in enumerate(zip(row, self._widths, strict=False)):
            line.append(_fitted(cell, width, right=index in self._numbers()))
            line.append(" " * _GAP)
        if link:
            line.append(row[-1])
        line.rstrip()
        return line

    def _numbers(self) -> Iterator[int]:
        """Columns that are read from the right: between the first and the last."""
        yield from range(1, len(self._widths))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


def _fitted(cell: str, width: int, *, right: bool) -> Text:
    text = Text(shortened(cell, width))
    padding = " " * (width - text.cell_len)
    return Text(padding).append(text) if right else text.append(padding)
