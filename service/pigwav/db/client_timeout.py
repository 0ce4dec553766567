"""Limits the time that psycopg2 waits for the server. By default, it waits as long as the connection lives.

A server that hangs (frozen, or waiting for a frozen disk) still acknowledges packets, so TCP sees no fault, and it does
not enforce `statement_timeout` either. All of psycopg2's waiting goes through its wait callback (its documentation:
"Support for coroutine libraries"), one for the process; it costs about 2 us per query.
"""

import select
import time
from math import inf
from typing import ClassVar, Final

from psycopg2 import OperationalError
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback

_EVENTS: Final = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class _TimeLimited(connection):  # type: ignore[misc] # psycopg2 ships no types
    timeout_s: ClassVar[float]


def time_limited_connection(timeout_s: float) -> type[_TimeLimited]:
    """A class for psycopg2's `connection_factory` that limits the time to connect, and the time of each statement.

    After `timeout_s`, psycopg2 closes the connection and raises OperationalError.
    """
    set_wait_callback(wait)
    return type("TimeLimitedConnection", (_TimeLimited,), {"timeout_s": timeout_s})


def wait(waiting: connection) -> None:
    """psycopg2's wait callback. Connections of other classes have no time limit.

    psycopg2 does not call it for an asynchronous connection, whose owner waits.
    """
    timeout_s = getattr(waiting, "timeout_s", inf)
    deadline = time.monotonic() + timeout_s
    while (state := waiting.poll()) != POLL_OK:
        poll = select.poll()
        poll.register(waiting.fileno(), _EVENTS[state])
        left_s = deadline - time.monotonic()
        if not poll.poll(None if left_s == inf else max(0.0, left_s) * 1000):
            raise OperationalError(f"no answer within {timeout_s:g} seconds")
