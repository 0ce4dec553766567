"""The places for connections of one process."""

from collections.abc import Callable
from typing import Final

from pigwav.api.client_address import address_of
from pigwav.errors import Limit
from pigwav.shares import Place, Shares

MAX_LINGERING: Final = 200
"""Refused connections that get an answer and linger until the client has read it. Further ones are closed at once."""


class ConnectionPlaces:
    """Shared by the clients' addresses. Used on the event loop only."""

    def __init__(self, total: int, *, is_proxy: Callable[[str], bool] = lambda _: False) -> None:
        """`is_proxy`: whether an address's connections are many clients' and therefore nobody's share."""
        self._places = Shares(total, limit=Limit.CONNECTIONS, share=Limit.CONNECTIONS_SHARE)
        self._is_proxy = is_proxy
        self._lingering = 0

    def take(self, client: tuple[str, int] | None) -> Place:
        """A place for a connection from `client` (None: a Unix socket). Raises Overloaded."""
        one_client = client is not None and not self._is_proxy(client[0])
        return self._places.take((address_of(client),) if one_client else ())

    def linger(self) -> Place | None:
        """A place for a connection that is refused. None if it must be closed at once."""
        if self._lingering >= MAX_LINGERING:
            return None
        self._lingering += 1
        return Place(self._lingered)

    def _lingered(self) -> None:
        self._lingering -= 1
