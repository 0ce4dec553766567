"""Translates the driver's errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pigwav.errors import DatabaseUnavailable, StorageFull

_LOST: Final = ("57P", "08")
"""SQLSTATE classes: shutdown, connection."""

_NOT_NOW: Final = (*_LOST, "53", "55P03", "57014")
"""SQLSTATE classes: shutdown, connection, resources, lock and statement timeouts."""

_NOT_FOR_US: Final = ("25006", "42501", "42P01", "3F000")
"""SQLSTATEs of a database that the operator has to set up: read-only, no privilege, no table, no schema."""

_DISK_FULL: Final = "53100"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises DatabaseUnavailable if the block fails because the database is not usable, and StorageFull if its disk is
    full, both with the reason for logs and operators. Other errors pass. The errors are SQLAlchemy's or psycopg2's own.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailable("The database does not answer: every connection is busy.") from error
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error.orig) from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_unavailable(error.orig):
            raise _unavailable(error.orig) from error
        raise
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise _unavailable(error) from error
    except psycopg2.Error as error:
        if is_lost(error) or _is_unavailable(error):
            raise _unavailable(error) from error
        raise


def is_lost(error: psycopg2.Error) -> bool:
    """Whether the connection is lost, not only the statement. If it broke off, the error has no SQLSTATE."""
    if error.pgcode is None:
        return not isinstance(error, psycopg2.ProgrammingError)  # it comes from psycopg2, not from the server
    return bool(error.pgcode.startswith(_LOST))


def _is_unavailable(error: BaseException | None) -> bool:
    return str(getattr(error, "pgcode", None) or "").startswith((*_NOT_NOW, *_NOT_FOR_US))


def _unavailable(error: BaseException | None) -> DatabaseUnavailable:
    """Uses only the driver's first line: it names host, user or table, never a password. Later lines may have data."""
    first = str(error).strip().partition("\n")[0]
    reason = " ".join(first.split()).rstrip(".")
    kind = StorageFull if getattr(error, "pgcode", None) == _DISK_FULL else DatabaseUnavailable
    return kind(f"The database is not usable: {reason}.")
