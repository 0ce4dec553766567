"""When a child process that died is started again, and when restarting it ends."""

from collections import deque
from typing import Final

FIRST_DELAY_S: Final = 0.1
MAX_RESTARTS: Final = 5
WITHIN_S: Final = 60.0


class Restarts:
    """Backs off from 0.1 s, doubling; the sixth death within a minute is the last."""

    def __init__(self, *, max_restarts: int = MAX_RESTARTS, within_s: float = WITHIN_S) -> None:
        self._max_restarts = max_restarts
        self._within_s = within_s
        self._deaths: deque[float] = deque()

    def delay_s(self, now_s: float) -> float | None:
        """A child process died at `now_s`: how long to wait before its next start; None: do not start it again."""
        self._deaths.append(now_s)
        while self._deaths[0] <= now_s - self._within_s:
            self._deaths.popleft()
        if len(self._deaths) > self._max_restarts:
            return None
        return FIRST_DELAY_S * float(2 ** (len(self._deaths) - 1))
