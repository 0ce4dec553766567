"""Makes every engine, so that what `migrate` can connect to, `serve` can, too.

Nothing is set for a session: a pooler such as PgBouncer gives each transaction another one
(docs/decisions/0014-limits-in-every-statement.md).
"""

from functools import partial
from math import ceil
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection
from sqlalchemy import Engine, create_engine, event

from pigwav.db.client_timeout import time_limited_connection, wait
from pigwav.db.url import SERVICE, connection_parameters
from pigwav.errors import DatabaseUnavailable

_DEFAULTS: Final = {"application_name": "pigwav", "connect_timeout": "10"}
_LONGER_THAN_THE_SERVER: Final = 1.5

_FROZEN_AFTER: Final = 6
"""The idle timeout of a transaction, in statement timeouts: a client that is idle for so long is frozen, and other
clients wait for the rows that it locks.
"""


def open_engine(
    url: str, *, setting: str = SERVICE, timeout_s: float | None = None, **options: Any
) -> Engine:
    """`setting`: where the URL is from, for messages. `timeout_s` limits the time to connect, and the time of each
    statement; None: no limit. `options`: more arguments of SQLAlchemy's `create_engine`.

    Raises NotConfigured. Connecting raises DatabaseUnavailable if the database's encoding is not UTF-8.
    """
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=partial(_connect, **_parameters(url, setting, timeout_s)),
        use_native_hstore=False,  # it asks the database about hstore on each new connection
        hide_parameters=True,  # parameters hold token hashes and titles; errors are logged
        **options,
    )
    if timeout_s is not None:
        event.listen(engine, "before_cursor_execute", partial(_with_limits, limits(timeout_s)), retval=True)
    return engine


def connect_asynchronously(url: str, *, timeout_s: float) -> connection:
    """A connection whose queries the caller waits for. Returns when it is open: libpq blocks while it resolves a name.

    Raises NotConfigured, psycopg2.Error, and DatabaseUnavailable if the database's encoding is not UTF-8.
    """
    return _connect(async_=True, **_parameters(url, SERVICE, timeout_s))


def _parameters(url: str, setting: str, timeout_s: float | None) -> dict[str, Any]:
    """The arguments of `psycopg2.connect`. Raises NotConfigured."""
    parameters = _DEFAULTS | connection_parameters(url, setting) | {"client_encoding": "utf8"}
    if timeout_s is None:
        return parameters
    hosts = parameters.get("host", "").count(",") + 1  # if one is down, there is time for the next
    return {
        "tcp_user_timeout": str(int(timeout_s * 1000 / hosts)),
        **parameters,
        "connection_factory": time_limited_connection(client_timeout_s(timeout_s)),
    }


def client_timeout_s(timeout_s: float) -> float:
    """How long a client waits for a statement that the server ends after `timeout_s`: a server that works reports its
    timeout first, which is a better error.
    """
    return _LONGER_THAN_THE_SERVER * timeout_s


def _connect(**parameters: Any) -> connection:
    """Raises psycopg2.Error and DatabaseUnavailable."""
    opened = psycopg2.connect(**parameters)
    if opened.async_:
        wait(opened)
    encoding = opened.get_parameter_status("server_encoding")
    if encoding != "UTF8":
        name = opened.info.dbname
        opened.close()
        raise DatabaseUnavailable(
            f"The database {name} has the encoding {encoding}, PigWav needs UTF8: create it with"
            " CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'."
        )
    return opened


def limits(timeout_s: float) -> str:
    """The SQL that limits each statement of the rest of the transaction, its waiting for locks included."""
    timeout_ms = ceil(timeout_s * 1000)  # 0 would be no limit
    return (
        f"SET LOCAL statement_timeout={timeout_ms};"
        f"SET LOCAL idle_in_transaction_session_timeout={_FROZEN_AFTER * timeout_ms};"
    )


def _with_limits(
    limits: str,
    connection: object,  # noqa: ARG001 - the signature is SQLAlchemy's
    cursor: Any,
    statement: str,
    parameters: Any,
    context: object,  # noqa: ARG001
    executemany: bool,  # noqa: ARG001, FBT001
) -> tuple[str, Any]:
    """Sends the limits in front of the statement, in one message, which is one transaction in autocommit mode.

    Not in front of a server-side cursor's query, which psycopg2 puts behind DECLARE.
    """
    return statement if cursor.name else limits + statement, parameters
