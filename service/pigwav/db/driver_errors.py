"""The driver's errors under our own names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pigwav.errors import DatabaseUnavailable, StorageFull

_NOT_NOW: Final = ("57P", "08", "53", "55P03", "57014")
"""SQLSTATE classes: shutdown, connection, resources, lock and statement timeouts."""

_NOT_FOR_US: Final = ("25006", "42501", "42P01", "3F000")
"""SQLSTATEs of a database that lacks what the operator gives it: read-only, no right, no table, no schema."""

_DISK_FULL: Final = "53100"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises DatabaseUnavailable if the database cannot serve in the block, StorageFull if its disk is full, each with
    the reason for logs and operators.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailable("The database does not answer: every connection is busy.") from error
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        code = str(getattr(error.orig, "pgcode", None) or "")
        if error.connection_invalidated or code.startswith((*_NOT_NOW, *_NOT_FOR_US)):
            raise _unavailable(error) from error
        raise


def _unavailable(error: DBAPIError) -> DatabaseUnavailable:
    """The driver's first line names host, user or table, never a password; the lines behind it may quote values."""
    first = str(error.orig).strip().partition("\n")[0]
    reason = " ".join(first.split()).rstrip(".")
    kind = StorageFull if getattr(error.orig, "pgcode", None) == _DISK_FULL else DatabaseUnavailable
    return kind(f"The database does not serve: {reason}.")
