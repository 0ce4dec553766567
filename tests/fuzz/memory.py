"""Memory of processes (PSS, USS) over the number of inputs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

import psutil

MAX_GROWTH_BYTES: Final = 16 * 1024 * 1024
"""Growth from the second quarter of a run to the last. Caches and the allocator's pools fill in the first quarter."""


@dataclass
class Series:
    """Samples of (inputs done, bytes held)."""

    samples: list[tuple[int, int]] = field(default_factory=list)

    def quarters_bytes(self) -> list[float]:
        """The median of each quarter of the inputs. A median, because PSS halves while a process forks."""
        most = self.samples[-1][0] + 1
        edges = [most * quarter // 4 for quarter in range(5)]
        return [
            median([held for done, held in self.samples if start <= done < end] or [0])
            for start, end in pairwise(edges)
        ]

    def growth_bytes(self) -> float:
        second, last = self.quarters_bytes()[1::2]
        return last - second

    def slope_bytes(self) -> float:
        """Growth per 1,000 inputs: the centres of the two quarters are half of the inputs apart."""
        return 1_000 * self.growth_bytes() / (self.samples[-1][0] / 2)


class Memory:
    """The sum over all `processes`. PSS includes a share of the libraries, which depends on other processes of the
    machine; `private` (USS) does not.
    """

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._processes = [*processes]
        self.pss = Series()
        self.private = Series()

    def sample(self, done: int) -> None:
        infos = [process.memory_full_info() for process in self._processes]
        self.pss.samples.append((done, sum(info.pss for info in infos)))
        self.private.samples.append((done, sum(info.uss for info in infos)))
