"""How many uploads are open, and how much memory they hold: asked before another one is taken."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pigwav.domain import UserId
from pigwav.errors import Overloaded, RateLimited, ShuttingDown
from pigwav.telemetry.metrics import Metrics

_ONE_MORE_AFTER_S: Final = 5
STRANGERS_SHARE: Final = 1 / 16
"""Of the bytes that all uploads may hold: for those whose sender is not known yet."""


class OpenUploads:
    """The bounds of one process. Used on the event loop only, so plain numbers are enough.

    What counts is memory that is held now, not what an upload might come to hold: a thousand phones hold little.
    """

    def __init__(
        self,
        *,
        most: int,
        most_bytes: int,
        metrics: Metrics,
        most_of_one: int | None = None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """`most_of_one`: of one user. `is_behind`: whether the encoder cannot keep up with those that are open."""
        self._is_behind = is_behind
        self._most = most
        self._most_bytes = most_bytes
        self._most_of_one = most_of_one
        self._open_of: Counter[UserId] = Counter()
        self._metrics = metrics
        self._metrics.uploads_most.set(most)
        self._open = 0
        self._held_bytes = 0
        self._strangers_bytes = 0
        self._stopping = False
        self._none_open = asyncio.Event()
        self._none_open.set()

    @contextmanager
    def one_more(self, user: UserId) -> Iterator[None]:
        """A place for an upload of `user`, to its answer. Raises Overloaded, RateLimited, ShuttingDown."""
        self.check_room()
        if self._most_of_one is not None and self._open_of[user] >= self._most_of_one:
            raise RateLimited(
                f"A user may have {self._most_of_one} uploads open at a time.",
                retry_after_s=_ONE_MORE_AFTER_S,
            )
        self._count(user, +1)
        try:
            yield
        finally:
            self._count(user, -1)

    def check_room(self) -> None:
        """Whether there is a place now: to be asked before the first byte. Raises Overloaded, ShuttingDown."""
        self.check()
        if self._open >= self._most or self._held_bytes >= self._most_bytes or self._is_behind():
            raise Overloaded

    @contextmanager
    def stranger(self) -> Iterator[Callable[[int], None]]:
        """Of an upload whose sender is not known yet: it has no place, so that nobody without a token can take them
        all. Call it with the bytes that it holds now; raises Overloaded where all such hold too many.
        """
        held_bytes = 0

        def hold(now_bytes: int) -> None:
            nonlocal held_bytes
            self._strangers_bytes += now_bytes - held_bytes
            held_bytes = now_bytes
            if self._strangers_bytes > self._most_bytes * STRANGERS_SHARE:
                raise Overloaded

        try:
            yield hold
        finally:
            self._strangers_bytes -= held_bytes

    @contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """Of one upload: call it with the bytes that the upload holds now, whenever that changes."""
        held_bytes = 0

        def hold(now_bytes: int) -> None:
            nonlocal held_bytes
            self._hold(now_bytes - held_bytes)
            held_bytes = now_bytes

        try:
            yield hold
        finally:
            hold(0)

    def stop(self) -> None:
        """Take no more. Those that are open go on."""
        self._stopping = True

    def check(self) -> None:
        """Raises ShuttingDown after `stop`."""
        if self._stopping:
            raise ShuttingDown

    async def drained(self) -> None:
        """Return when no upload is open, its clean-up included."""
        await self._none_open.wait()

    def _count(self, user: UserId, change: int) -> None:
        self._open_of[user] += change
        if not self._open_of[user]:
            del self._open_of[user]
        self._open += change
        self._metrics.uploads_open.inc(change)
        if self._open:
            self._none_open.clear()
        else:
            self._none_open.set()

    def _hold(self, change_bytes: int) -> None:
        self._held_bytes += change_bytes
        self._metrics.held_bytes.inc(change_bytes)
