"""What the measurements give, how it is printed, and how it is kept as JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import psutil

CHECKOUT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A bound for a value."""

    value: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.value:g}"


@dataclass(frozen=True)
class Series:
    """One value per round, of whoever was measured."""

    of: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Result:
    """`series`: PigWav first. With a second one, measured in the same rounds, the value is the median of the ratios of
    the two; else it is the median of the first, in `unit`.
    """

    name: str
    unit: str
    series: tuple[Series, ...]
    target: Target | None = None

    @classmethod
    def of(cls, name: str, unit: str, target: Target | None = None, **series: Sequence[float]) -> Self:
        """A keyword's underscores stand for spaces."""
        told = (Series(of.replace("_", " "), tuple(values)) for of, values in series.items())
        return cls(name, unit, tuple(told), target)

    @property
    def is_ratio(self) -> bool:
        return len(self.series) > 1

    @property
    def rounds(self) -> tuple[float, ...]:
        """The ratio, or the value, of each round."""
        if not self.is_ratio:
            return self.series[0].values
        ours, theirs = (series.values for series in self.series[:2])
        return tuple(one / other for one, other in zip(ours, theirs, strict=True))

    @property
    def value(self) -> float:
        return statistics.median(self.rounds)

    @property
    def is_missed(self) -> bool:
        return self.target is not None and not self.target.is_met(self.value)

    def row(self) -> tuple[str, ...]:
        """What was measured, its value, its spread, its target, and the medians of all series."""
        unit = f" × {self.series[1].of}" if self.is_ratio else f" {self.unit}"
        return (
            self.name,
            f"{rounded(self.value)}{unit}",
            f"{rounded(min(self.rounds))} to {rounded(max(self.rounds))}" if len(self.rounds) > 1 else "",
            f"{self.target or ''}{': missed' if self.is_missed else ''}",
            ", ".join(f"{series.of} {rounded(series.median)} {self.unit}" for series in self.series)
            if self.is_ratio
            else "",
        )


HEAD: Final = ("what", "value", "rounds", "target", "medians")


def rounded(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(results: Iterable[Result]) -> str:
    """Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *(result.row() for result in results)]
    return "\n".join("| " + " | ".join(cell or "-" for cell in row) + " |" for row in rows)


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    git = subprocess.run(
        ["git", "-C", CHECKOUT, "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    versions = subprocess.run(
        [sys.executable, "-m", "pigwav", "--version"], capture_output=True, text=True, check=True
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git.stdout.strip(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions.stdout.split("\n")[:-1],
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


Sections = Mapping[str, Sequence[Result]]
"""Results by the name of their part."""


def written(path: Path, head: Mapping[str, Any], sections: Sections) -> None:
    kept = {
        name: [{**asdict(result), "value": result.value} for result in results]
        for name, results in sections.items()
    }
    path.write_text(json.dumps({**head, "sections": kept}, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> tuple[dict[str, Any], Sections]:
    """What `written` wrote."""
    document = json.loads(path.read_text())
    sections = {name: [_read(kept) for kept in results] for name, results in document.pop("sections").items()}
    return document, sections


def _read(kept: Mapping[str, Any]) -> Result:
    series = tuple(Series(one["of"], tuple(one["values"])) for one in kept["series"])
    target = Target(**kept["target"]) if kept["target"] else None
    return Result(kept["name"], kept["unit"], series, target)
