"""Limits the number of open uploads and the memory that they hold."""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from pigwav.capacity.unauthenticated_memory import UnauthenticatedMemory
from pigwav.domain import UserId
from pigwav.errors import Limit, Overloaded, RateLimited, ShuttingDown
from pigwav.shares import Shares
from pigwav.telemetry.metrics import Metrics

_ONE_MORE_AFTER_S: Final = 5
UNAUTHENTICATED_SHARE: Final = 1 / 16
"""The part of `limit_bytes` that uploads may hold before they are authenticated."""


class OpenUploads:
    """The limits per process. Used on the event loop only; therefore no lock is needed.

    The memory limit counts the bytes held now, not the most that each upload could hold: a thousand slow uploads hold
    little.
    """

    def __init__(
        self,
        *,
        limit: int,
        limit_bytes: int,
        metrics: Metrics,
        limit_per_user: int | None = None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_behind`: whether the encoder cannot keep up with the uploads that are open."""
        self._is_behind = is_behind
        self._places = Shares(limit, limit=Limit.UPLOADS, share=Limit.UPLOADS_SHARE)
        self._limit_bytes = limit_bytes
        self._limit_per_user = limit_per_user
        self._metrics = metrics
        self._metrics.uploads_most.set(limit)
        self._held_bytes = 0
        self.unauthenticated: Final = UnauthenticatedMemory(limit_bytes * UNAUTHENTICATED_SHARE)
        self._stopping = False
        self._none_open = asyncio.Event()
        self._none_open.set()

    @contextmanager
    def one_more(self, user: UserId, address: Hashable) -> Iterator[None]:
        """Counts an upload until its response. Raises Overloaded, RateLimited, ShuttingDown."""
        self.check_capacity()
        if self._limit_per_user is not None and self._places.held_by(user) >= self._limit_per_user:
            raise RateLimited(
                f"A user may have {self._limit_per_user} uploads open at a time.",
                retry_after_s=_ONE_MORE_AFTER_S,
            )
        place = self._places.take((user, address))
        self._none_open.clear()
        with self._metrics.uploads_open.track_inprogress():
            try:
                yield
            finally:
                place.release()
                if not self._places.taken:
                    self._none_open.set()

    def check_capacity(self) -> None:
        """Raises Overloaded or ShuttingDown if no further upload can be accepted now."""
        self.check_running()
        self._places.check()
        if self._held_bytes >= self._limit_bytes:
            raise Overloaded(Limit.MEMORY)
        if self._is_behind():
            raise Overloaded(Limit.ENCODER)

    @contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """For one upload: call the function with the bytes that the upload holds now, whenever that changes."""
        held_bytes = 0

        def hold(now_bytes: int) -> None:
            nonlocal held_bytes
            self._held_bytes += now_bytes - held_bytes
            self._metrics.held_bytes.inc(now_bytes - held_bytes)
            held_bytes = now_bytes

        try:
            yield hold
        finally:
            hold(0)

    def stop(self) -> None:
        """Refuses new uploads from now on. Open uploads go on."""
        self._stopping = True

    def check_running(self) -> None:
        """Raises ShuttingDown after `stop`."""
        if self._stopping:
            raise ShuttingDown

    async def drained(self) -> None:
        """Returns when no upload is open and all clean-ups are done."""
        await self._none_open.wait()
