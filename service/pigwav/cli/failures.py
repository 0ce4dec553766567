"""How a command ends that did not succeed: one sentence on standard error, and an exit status that never changes."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from pigwav.cli.display import printable
from pigwav.client import (
    ClientError,
    CredentialsMissing,
    DownloadBroken,
    InvalidAddress,
    NotAuthenticated,
    Refused,
    TryLater,
    Unreachable,
)


class ExitStatus(IntEnum):
    """0: all that was asked is done. 130: interrupted by Ctrl-C."""

    FAILED = 1
    USAGE = 2
    NOT_AUTHENTICATED = 3
    REFUSED = 4
    TRY_LATER = 5
    DOWNLOAD_BROKEN = 6


def exit_status(error: Exception) -> ExitStatus:
    match error:
        case InvalidAddress():
            return ExitStatus.USAGE
        case NotAuthenticated() | CredentialsMissing():
            return ExitStatus.NOT_AUTHENTICATED
        case Unreachable() | TryLater():
            return ExitStatus.TRY_LATER
        case DownloadBroken():
            return ExitStatus.DOWNLOAD_BROKEN
        case Refused(status=status) if status < 500:
            return ExitStatus.REFUSED
        case _:
            return ExitStatus.FAILED


def sentence(error: Exception) -> str:
    """For people, in one line; where the service refused, with the problem's code."""
    if isinstance(error, OSError) and error.filename:
        return printable(f"{error.filename}: {error.strerror}")
    return printable(str(error))


def tell(text: str) -> None:
    """A line on standard error; above the progress, where that is shown: it hears what is written to `sys.stderr`."""
    sys.stderr.write(f"pigwav: {text}\n")
    sys.stderr.flush()


@contextmanager
def plain_failures() -> Iterator[None]:
    """What can go wrong without a bug ends the command with a sentence and its status."""
    try:
        yield
    except (ClientError, OSError) as error:
        _leave_to_typer(error)
        tell(sentence(error))
        raise typer.Exit(exit_status(error)) from error


class Attempts:
    """Things to do, of which one that fails does not stop the others."""

    def __init__(self, *, named: bool, failed: Callable[[str, Exception], None] | None = None) -> None:
        """`named`: a failure is told with the name of what failed; for the only one that is no news.

        `failed` hears of each failure, too.
        """
        self._named = named
        self._failed = failed
        self._done = 0
        self._failures: list[ExitStatus] = []

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Raises all the same where no other can succeed either: without good credentials."""
        with self.preparing(name):
            yield
            self._done += 1

    @contextmanager
    def preparing(self, name: str) -> Iterator[None]:
        """As `one`, for what must go well first."""
        try:
            yield
        except (NotAuthenticated, CredentialsMissing):
            raise
        except (ClientError, OSError) as error:
            _leave_to_typer(error)
            self._failures.append(exit_status(error))
            tell(f"{printable(name)}: {sentence(error)}" if self._named else sentence(error))
            if self._failed:
                self._failed(name, error)

    def end(self) -> None:
        """The status is that of the failures where nothing was done and all failed alike, else 1."""
        if not self._failures:
            return
        alike = len(set(self._failures)) == 1 and not self._done
        raise typer.Exit(self._failures[0] if alike else ExitStatus.FAILED)


def _leave_to_typer(error: Exception) -> None:
    """A closed standard output (`| head`) ends the program quietly."""
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        raise error
