"""Translates the driver's errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pigwav.errors import DatabaseUnavailable, StorageFull

_NOT_NOW: Final = ("57P", "08", "53", "55P03", "57014")
"""SQLSTATE classes: shutdown, connection, resources, lock and statement timeouts."""

_NOT_FOR_US: Final = ("25006", "42501", "42P01", "3F000")
"""SQLSTATEs of a database that the operator has to set up: read-only, no privilege, no table, no schema."""

_DISK_FULL: Final = "53100"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises DatabaseUnavailable if the block fails because the database is not usable, and StorageFull if its disk is
    full, both with the reason for logs and operators. Other errors pass.
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
    """Uses only the driver's first line: it names host, user or table, never a password. Later lines may have data."""
    first = str(error.orig).strip().partition("\n")[0]
    reason = " ".join(first.split()).rstrip(".")
    kind = StorageFull if getattr(error.orig, "pgcode", None) == _DISK_FULL else DatabaseUnavailable
    return kind(f"The database is not usable: {reason}.")
