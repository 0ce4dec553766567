"""A waveform as one line of characters."""

from itertools import pairwise
from typing import Final

OVERVIEW_POINTS: Final = 96
"""As many points as `peaks` of a list has, at most."""

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = "_.-:=+*#"
_QUIETEST: Final = 2
"""A louder maximum is drawn as the highest block; up to this, the line is flat."""


def means(magnitudes: bytes, count: int) -> bytes:
    """The mean of each of `count` equal parts; fewer parts if there are fewer magnitudes."""
    parts = min(count, len(magnitudes))
    edges = [number * len(magnitudes) // parts for number in range(parts + 1)] if parts else []
    return bytes(round(sum(magnitudes[start:end]) / (end - start)) for start, end in pairwise(edges))


def drawn(magnitudes: bytes, cells: int, encoding: str | None) -> str:
    """At most `cells` characters, in ASCII if `encoding` has no blocks. The loudest part has the highest block."""
    heights = means(magnitudes, max(1, cells))
    loudest = max(heights, default=0)
    characters = _BLOCKS if _can_encode(_BLOCKS, encoding) else _ASCII
    scale = (len(characters) - 1) / loudest if loudest > _QUIETEST else 0
    return "".join(characters[round(height * scale)] for height in heights)


def _can_encode(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
