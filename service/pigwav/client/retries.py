"""When a call that failed is made again, and how long to wait first. Both clients ask here, and wait by themselves.

stamina is not used for this: its hooks are one list for the whole process, and by default they log every retry, with
the error's text. A library has no business there.
"""

import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

from pigwav.client.errors import (
    ClientError,
    DownloadInterrupted,
    InvalidAddress,
    NotConnected,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
)

FIRST_WAIT_S: Final = 0.25
MOST_WAIT_S: Final = 8.0
MOST_RETRY_AFTER_S: Final = 60
"""A service that wants to be left alone for longer is: the error goes to the caller, who can see for how long."""

_OF_A_PROXY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

Repeatable: TypeAlias = Callable[[ClientError], bool]
"""Whether it is safe, and any use, to make the call again after this."""


OnWait: TypeAlias = Callable[[ClientError, float], None]
"""Called before each wait, with the error that the last try ended with, and the seconds until the next."""


def wait_silently(_error: ClientError, _wait_s: float) -> None:
    """The OnWait that tells nobody."""


class Rereadable(Protocol):
    @property
    def repeatable(self) -> bool: ...


def harmless(error: ClientError) -> bool:
    """For calls that do the same however often they are made: GET, HEAD, PATCH, DELETE, an upload under one key."""
    match error:
        case InvalidAddress():
            return False
        case Unreachable() | TryLater() | DownloadInterrupted():
            return True
        case UnexpectedAnswer():
            return error.status in _OF_A_PROXY
    return False


def without_effect(error: ClientError) -> bool:
    """For any other POST: only where the service certainly kept nothing of the call."""
    return isinstance(error, NotConnected | TryLater)


def repeatable_upload(wav: Rereadable) -> Repeatable:
    """For uploads: their Idempotency-Key makes them harmless; and only while the whole WAV can be sent once more."""
    return lambda error: harmless(error) and wav.repeatable


class Tries:
    """The tries of one call."""

    def __init__(self, max_tries: int, repeatable: Repeatable) -> None:
        """`max_tries`: 1 or more, the first try included."""
        self._left = max_tries - 1
        self._repeatable = repeatable
        self._next_wait_s = FIRST_WAIT_S
        self.lost_answer = False
        """Whether an earlier try may have taken effect although no answer to it was received."""

    def wait_s(self, error: ClientError) -> float:
        """How long to wait before the next try. Raises the error where there is none."""
        if self._left < 1 or not self._repeatable(error):
            raise error
        self._left -= 1
        self.lost_answer |= not isinstance(error, NotConnected | TryLater)
        wait_s = _jittered(self._next_wait_s)
        self._next_wait_s = min(2 * self._next_wait_s, MOST_WAIT_S)
        if isinstance(error, TryLater) and error.retry_after_s is not None:
            if error.retry_after_s > MOST_RETRY_AFTER_S:
                raise error
            return error.retry_after_s + _jittered(error.retry_after_s / 8)
        return wait_s


def _jittered(wait_s: float) -> float:
    """So that clients that failed together do not come back together."""
    return wait_s * random.uniform(0.5, 1)  # noqa: S311 - no secret
