"""Cuts a body into blocks, as they may arrive."""

from itertools import pairwise
from random import Random
from typing import Final

_BYTE_BY_BYTE_UP_TO: Final = 600


def blocks(body: bytes, seed: int) -> list[bytes]:
    """Cuts `body` into non-empty blocks; deterministic for a seed. For some seeds, each block is one byte."""
    if seed % 8 == 0 and len(body) <= _BYTE_BY_BYTE_UP_TO:
        return [body[at : at + 1] for at in range(len(body))]
    random = Random(seed)
    most = len(body) if random.random() < 0.5 else min(len(body), 64)
    places = {random.randrange(most) for _ in range(random.choice((1, 2, 5, 20)))} if most else set()
    return [body[start:end] for start, end in pairwise(sorted(places | {0, len(body)}))]
