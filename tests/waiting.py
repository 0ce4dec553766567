"""Waits for a condition instead of a fixed time."""

import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], *, within_s: float = 60) -> None:
    """Returns when `true()` is true; fails if it is not within `within_s`."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.01)
