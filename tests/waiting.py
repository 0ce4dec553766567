"""Waiting for an outcome, never for a time."""

import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], *, within_s: float = 60) -> None:
    """Return as soon as `true()`; fail when it does not come true."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
