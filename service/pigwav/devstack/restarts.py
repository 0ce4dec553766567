"""When a child process that died is restarted, and when it is not restarted any more."""

from collections import deque
from typing import Final

FIRST_DELAY_S: Final = 0.1
MAX_RESTARTS: Final = 5
WITHIN_S: Final = 60.0


class Restarts:
    """Delays start at 0.1 s and double. By default there is no restart after the sixth death within a minute."""

    def __init__(self, *, max_restarts: int = MAX_RESTARTS, within_s: float = WITHIN_S) -> None:
        self._max_restarts = max_restarts
        self._within_s = within_s
        self._deaths: deque[float] = deque()

    def delay_s(self, now_s: float) -> float | None:
        """Records a death at `now_s`. Returns the seconds to wait before the restart; None means no restart."""
        self._deaths.append(now_s)
        while self._deaths[0] <= now_s - self._within_s:
            self._deaths.popleft()
        if len(self._deaths) > self._max_restarts:
            return None
        return FIRST_DELAY_S * float(2 ** (len(self._deaths) - 1))
