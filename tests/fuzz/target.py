"""What fuzzing aims at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

STEER_BYTES: Final = 2


@dataclass(frozen=True)
class Target:
    """A parser and what must hold of it whatever comes. `check` raises AssertionError where it does not.

    An input is two bytes that steer `check` (how the rest is cut, which of several roads it takes), then the rest.
    `seeds`: the rest of inputs that get far. `mutate`: damages it as a fuzzer that knows nothing of WAVs never would.
    """

    name: str
    check: Callable[[int, bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    limit_bytes: int = 4_096
    mutate: Callable[[bytes, Random], bytes] | None = None

    def __call__(self, data: bytes) -> None:
        self.check(int.from_bytes(data[:STEER_BYTES], "big"), data[STEER_BYTES:])
