"""Which failed calls are repeated, and after what wait. Both clients use this; each does the waiting itself.

We do not use stamina: its hooks are global to the process and by default log every retry with the error's text. A
library should not change global hooks.
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
MAX_WAIT_S: Final = 8.0
MAX_RETRY_AFTER_S: Final = 60
"""If `Retry-After` asks for a longer wait, the error is raised at once; the caller can read `retry_after_s`."""

_OF_A_PROXY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

Repeatable: TypeAlias = Callable[[ClientError], bool]
"""Whether it is safe and useful to repeat the call after this error."""


OnWait: TypeAlias = Callable[[ClientError, float], None]
"""Called before each wait, with the error of the last try and the seconds until the next try."""


def wait_silently(_error: ClientError, _wait_s: float) -> None:
    """The default OnWait: does nothing."""


class Rereadable(Protocol):
    @property
    def repeatable(self) -> bool: ...


def is_retryable(error: ClientError) -> bool:
    """The rule for idempotent calls: GET, HEAD, PATCH, DELETE, and an upload with an idempotency key."""
    match error:
        case InvalidAddress():
            return False
        case Unreachable() | TryLater() | DownloadInterrupted():
            return True
        case UnexpectedAnswer():
            return error.status in _OF_A_PROXY
    return False


def had_no_effect(error: ClientError) -> bool:
    """The rule for any other POST: repeat only if the call certainly had no effect."""
    return isinstance(error, NotConnected | TryLater)


def repeatable_upload(wav: Rereadable) -> Repeatable:
    """The rule for uploads: they are idempotent by their key, but the whole WAV must be readable again."""
    return lambda error: is_retryable(error) and wav.repeatable


class RetryBudget:
    """The tries of one call."""

    def __init__(self, max_tries: int, repeatable: Repeatable) -> None:
        """`max_tries`: 1 or more, the first try included."""
        self._left = max_tries - 1
        self._repeatable = repeatable
        self._next_wait_s = FIRST_WAIT_S
        self.lost_answer = False
        """Whether an earlier try may have taken effect although no answer to it was received."""

    def wait_s(self, error: ClientError) -> float:
        """Seconds to wait before the next try. Raises the error if there is no next try."""
        if self._left < 1 or not self._repeatable(error):
            raise error
        self._left -= 1
        self.lost_answer |= not isinstance(error, NotConnected | TryLater)
        wait_s = _jittered(self._next_wait_s)
        self._next_wait_s = min(2 * self._next_wait_s, MAX_WAIT_S)
        if isinstance(error, TryLater) and error.retry_after_s is not None:
            if error.retry_after_s > MAX_RETRY_AFTER_S:
                raise error
            return error.retry_after_s + _jittered(error.retry_after_s / 8)
        return wait_s


def _jittered(wait_s: float) -> float:
    """A random part of the wait, so that clients that failed at the same time do not retry at the same time."""
    return wait_s * random.uniform(0.5, 1)  # noqa: S311 - no secret
