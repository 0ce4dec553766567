"""A bar chart of results as SVG."""

from collections.abc import Sequence
from html import escape
from typing import Final

from bench.results import Result, rounded

_WIDTH: Final = 860
_BAR: Final = 16
_LINE: Final = 22
_LABEL: Final = 170
_ROOM: Final = 130
"""For the number behind the longest bar."""
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="13"'
_OURS, _THEIRS, _INK = "#3b6fd4", "#9aa3b2", "#5b6472"


def chart(title: str, results: Sequence[Result]) -> str:
    """One group of bars for each result, scaled to its longest. PigWav's bar has its own colour."""
    lines, top = [], 46
    for result in results:
        lines.append(_text(0, top, result.name, bold=True))
        top += _LINE
        longest = max(series.median for series in result.series)
        for series in result.series:
            length = (_WIDTH - _LABEL - _ROOM) * series.median / longest
            colour = _OURS if series is result.series[0] else _THEIRS
            lines += [
                _text(0, top, series.of),
                f'<rect x="{_LABEL}" y="{top - 12}" width="{length:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
                _text(_LABEL + length + 8, top, f"{rounded(series.median)} {result.unit}"),
            ]
            top += _LINE
        top += _LINE // 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" {_FONT}>',
            f"<title>{escape(title)}</title>",
            _text(0, 18, title, bold=True),
            *lines,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}"{weight}>{escape(text)}</text>'
