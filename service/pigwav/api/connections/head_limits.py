"""Bounds on a request's head, in bytes and in time, and on the bytes that frame a body."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from pigwav.errors import HeadTooLarge, HeadTooSlow
from pigwav.settings import HttpSettings

MAX_FIELDS: Final = 100
"""In one head. No client needs that many, and the time of each look-up grows with the number of fields."""

_CHUNK_FRAMING_BYTES: Final = 20
"""A chunk's size in hex and its two line ends. This much framing is not counted for each piece of a body's data."""


class HeadLimits:
    """Measures the heads of one connection's requests. Used on the event loop only.

    Framing is every byte that is not a body's data: the head, chunk sizes and extensions, trailers. Each request may
    have `max_header_bytes` of framing in its head, and the same amount again around its body.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bounds: HttpSettings) -> None:
        self.awaits_head = True
        """Whether the next bytes belong to a head, not to a body or to its trailers."""
        self._loop = loop
        self._bounds = bounds
        self._framing_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the awaited head has arrived."""
        return self._framing_bytes > 0

    def start_timer(self, on_timeout: Callable[[], None]) -> None:
        """Calls `on_timeout` if the awaited head is not complete in `header_timeout_s` seconds from now.

        If the timer is already running, it is not restarted.
        """
        if self.awaits_head and self._timer is None:
            self._timer = self._loop.call_later(self._bounds.header_timeout_s, on_timeout)

    def bytes_received(self, count: int) -> None:
        """To be called before the bytes are parsed: `body_received` subtracts those that are a body's data."""
        self._framing_bytes += count

    def body_received(self, count: int) -> None:
        self._framing_bytes = max(0, self._framing_bytes - count - _CHUNK_FRAMING_BYTES)

    def head_complete(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """To be called at the end of a head; its body follows. Raises HeadTooLarge."""
        self.stop_timer()
        self.awaits_head = False
        self._framing_bytes = 0
        if head_bytes(url, headers) > self._bounds.max_header_bytes or len(headers) > MAX_FIELDS:
            raise self._too_large()

    def message_complete(self) -> None:
        """To be called at the end of a body; the next bytes are the next request's head."""
        self.awaits_head = True
        self._framing_bytes = 0

    def check(self) -> None:
        """Raises HeadTooLarge if a head or framing that has not ended yet is too large already."""
        if self._framing_bytes > self._bounds.max_header_bytes:
            raise self._too_large()

    def too_slow(self) -> HeadTooSlow:
        return HeadTooSlow(f"It must arrive within {self._bounds.header_timeout_s:g} seconds.")

    def stop_timer(self) -> None:
        """To be called also when the connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(f"The limits are {self._bounds.max_header_bytes} bytes and {MAX_FIELDS} fields.")


def head_bytes(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
