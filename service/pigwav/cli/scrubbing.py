"""`pigwav doctor --scrub`: its read rate, and what it has read back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pigwav.cli.interruptible import until_stopped

if TYPE_CHECKING:
    from pigwav.usecases.scrub import ReadBack

_RATE: Final = re.compile(r"([0-9]+)([KMG]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_MIN_BYTES_PER_S: Final = 64_000
"""If we read more slowly, an object store may treat the connection as dead."""


def bytes_per_s(text: str) -> int:
    """`50M` is 50,000,000. Raises ValueError."""
    match = _RATE.fullmatch(text)
    rate = int(match[1]) * _UNITS[match[2].upper()] if match else 0
    if rate < _MIN_BYTES_PER_S:
        raise ValueError(f"{text!r} is not a valid rate. Give a number of bytes such as 50M, at least 64K.")
    return rate


@dataclass
class Scrubbed:
    """The recordings read back so far, and the keys of those that are damaged or unreadable."""

    recordings: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, one: "ReadBack") -> None:
        if one.condition == "gone":
            return
        self.recordings += 1
        self.bytes += one.size_bytes
        if one.condition == "damaged":
            self.damaged.append(one.key)
        elif one.condition == "unreadable":
            self.unreadable.append(one.key)

    def add_all(self, read_back: Iterable["ReadBack"]) -> None:
        """Adds all of them, until the first Ctrl-C."""
        for one in until_stopped(read_back, self):
            self.add(one)

    def __str__(self) -> str:
        return f"{self.recordings} recordings, {self.bytes / 10**6:,.1f} MB read back"
