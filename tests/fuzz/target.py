"""Targets of fuzzing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

STEER_BYTES: Final = 2


@dataclass(frozen=True)
class Target:
    """A parser and its invariants for any input. `check` raises AssertionError if one is broken.

    The first two bytes of an input steer `check`: how the body is cut into blocks, which variant is tested. The rest is
    the body. `seeds`: bodies that reach deep into the parser. `mutate`: damage that needs knowledge of the format.
    """

    name: str
    check: Callable[[int, bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    limit_bytes: int = 4_096
    mutate: Callable[[bytes, Random], bytes] | None = None

    def __call__(self, data: bytes) -> None:
        self.check(int.from_bytes(data[:STEER_BYTES], "big"), data[STEER_BYTES:])
