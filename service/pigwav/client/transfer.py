"""Bytes on their way: how large the blocks are, and who hears of them."""

from collections.abc import Callable
from typing import Final, TypeAlias

BLOCK_BYTES: Final = 64 * 1024

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes done and, where it is known, the bytes in all. After a retry the bytes done start again."""


def no_progress(_done_bytes: int, _total_bytes: int | None) -> None:
    """The progress that nobody listens to."""
