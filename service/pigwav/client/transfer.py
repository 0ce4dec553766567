"""Block size and progress of transfers."""

from collections.abc import Callable
from typing import Final, TypeAlias

BLOCK_BYTES: Final = 64 * 1024

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes done and the total bytes (None if not known). After a retry, the bytes done start again."""


def no_progress(_done_bytes: int, _total_bytes: int | None) -> None:
    """The default Progress: does nothing."""
