"""psycopg2 waits for an answer as long as its connection lives; we do not.

A server that hangs (frozen, or before a disk that does) still acknowledges packets, so TCP finds nothing wrong, and
`statement_timeout` is kept by the very server that is silent. All of psycopg2's waiting goes through its wait callback
(its documentation: "Support for coroutine libraries"), one for the process; that costs a query about 2 us.
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
    """For psycopg2's `connection_factory`: connecting, and every statement, ends within that time.

    Past it psycopg2 closes the connection and raises OperationalError.
    """
    set_wait_callback(_wait)
    return type("TimeLimitedConnection", (_TimeLimited,), {"timeout_s": timeout_s})


def _wait(waiting: connection) -> None:
    """Until the connection has what it waits for. Connections of other makers are waited for without an end."""
    timeout_s = getattr(waiting, "timeout_s", inf)
    deadline = time.monotonic() + timeout_s
    while (state := waiting.poll()) != POLL_OK:
        poll = select.poll()
        poll.register(waiting.fileno(), _EVENTS[state])
        left_s = deadline - time.monotonic()
        if not poll.poll(None if left_s == inf else max(0.0, left_s) * 1000):
            raise OperationalError(f"no answer within {timeout_s:g} seconds")
