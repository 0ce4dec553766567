"""Limited places that clients share, so that no client takes all of them.

A client may take one more place while it holds less than HELD_TO_FREE times the places that are free. One greedy client
stops at 7/8 of all places, n of them stop when 1 of 7n + 1 is left, and while others hold little, each may have almost
everything. Switches share their packet memory by this rule: Choudhury and Hahne, "Dynamic queue length thresholds for
shared-memory packet switches", IEEE/ACM Transactions on Networking 6 (1998).
"""

from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Final

from pigwav.errors import Limit, Overloaded

HELD_TO_FREE: Final = 7
"""With fewer than eight places, one client may take all: there is none to keep free."""

Clients = tuple[Hashable, ...]
"""The clients that hold a place together, such as an upload's address and its user. Empty: the place is nobody's."""


class Place(AbstractContextManager[None]):
    """One place that is taken, until `release` or the end of a `with` block."""

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._on_release: Callable[[], None] | None = on_release

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """May be called again."""
        on_release, self._on_release = self._on_release, None
        if on_release is not None:
            on_release()


class Shares:
    """The places of one kind in one process. Used on one thread."""

    def __init__(self, total: int, *, limit: Limit, share: Limit) -> None:
        """`limit`: what is exceeded if no place is free; `share`: if too few are free for a client that holds many."""
        self._total: Final = total
        self._limit = limit
        self._share = share
        self._held: Counter[Hashable] = Counter()
        self.taken = 0

    @property
    def free(self) -> int:
        return self._total - self.taken

    def held_by(self, client: Hashable) -> int:
        return self._held[client]

    def take(self, clients: Clients) -> Place:
        """One place for `clients`. Raises Overloaded."""
        self.check()
        most = max((self._held[client] for client in clients), default=0)
        if most >= HELD_TO_FREE * self.free:
            raise Overloaded(self._share)
        self._count(clients, +1)
        return Place(lambda: self._count(clients, -1))

    def check(self) -> None:
        """Raises Overloaded if no place is free."""
        if self.free <= 0:
            raise Overloaded(self._limit)

    def _count(self, clients: Clients, change: int) -> None:
        self.taken += change
        for client in clients:
            self._held[client] += change
            if not self._held[client]:
                del self._held[client]
