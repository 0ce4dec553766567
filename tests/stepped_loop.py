"""An event loop with a clock that the test advances."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

STEP_S: Final = 0.125
"""A power of two, so that steps add up to whole seconds exactly."""


class SteppedLoop(asyncio.SelectorEventLoop):
    """asyncio's loop and timers with a simulated clock."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 1000.0

    def time(self) -> float:
        return self._now_s

    def pass_time(self, seconds: float) -> None:
        """Runs the timers that become due, in their order. `seconds`: a multiple of STEP_S."""
        for _ in range(round(seconds / STEP_S)):
            self._now_s += STEP_S
            self.call_soon(self.stop)
            self.run_forever()


@contextmanager
def stepped_loop() -> Iterator[SteppedLoop]:
    loop = SteppedLoop()
    try:
        yield loop
    finally:
        loop.close()
