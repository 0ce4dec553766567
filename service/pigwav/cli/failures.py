"""How a command ends that did not succeed: one sentence on standard error, and an exit status that never changes."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import ClassVar, Final

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
    UnexpectedAnswer,
    Unreachable,
    WavChanged,
)


class ExitStatus(IntEnum):
    """0: all that was asked is done. 130: interrupted by Ctrl-C."""

    FAILED = 1
    USAGE = 2
    NOT_AUTHENTICATED = 3
    REFUSED = 4
    TRY_LATER = 5
    DOWNLOAD_BROKEN = 6
    NOBODY_READS = 141
    """Standard output was closed (`| head`): as other programs end of SIGPIPE."""


class LocalFailure(ClientError):
    """The service had no part in it."""

    code: ClassVar[str] = "failed"


class CommandWrong(LocalFailure):
    """The command cannot be meant so."""


LOCAL_CODES: Final[Mapping[type[Exception], str]] = {
    InvalidAddress: "address-invalid",
    Unreachable: "unreachable",
    UnexpectedAnswer: "unexpected-answer",
    WavChanged: "file-changed",
    FileNotFoundError: "file-missing",
    PermissionError: "file-forbidden",
    OSError: "file-unusable",
}
"""Exit statuses of failures that the service did not name, from special to general. They never change."""


def exit_status(error: Exception) -> ExitStatus:
    match error:
        case InvalidAddress() | CommandWrong():
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


def code(error: Exception) -> str:
    """For programs: the problem's, where the service refused."""
    if isinstance(error, Refused | LocalFailure):
        return error.code
    names = (name for kind, name in LOCAL_CODES.items() if isinstance(error, kind))
    return next(names, LocalFailure.code)


def reason(error: Exception) -> str:
    """What went wrong, without code, and without the name of the file."""
    match error:
        case Refused():
            return printable(error.detail or error.title)
        case OSError(strerror=str(text)):
            return printable(text)
    return printable(str(error))


def sentence(error: Exception) -> str:
    """For people, in one line; if the service refused, with the problem's code and the limit that was reached."""
    if isinstance(error, OSError) and error.filename:
        return f"{printable(str(error.filename))}: {reason(error)}"
    return printable(str(error)) if isinstance(error, Refused) else reason(error)


def tell(text: str) -> None:
    """A line on standard error; above the progress, where that is shown: it hears what is written to `sys.stderr`."""
    sys.stderr.write(f"pigwav: {text}\n")
    sys.stderr.flush()


def tell_waiting(error: ClientError, wait_s: float) -> None:
    """To a person at the terminal, who would wonder; a wait of less than a second is not worth a line."""
    if wait_s >= 1 and sys.stderr.isatty():
        tell(f"Waiting {wait_s:.0f} s, then trying again: {sentence(error)}")


@contextmanager
def plain_failures() -> Iterator[None]:
    """What can go wrong without a bug ends the command with a sentence and its status."""
    try:
        yield
    except (ClientError, OSError) as error:
        _end_unread(error)
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
        self.done = 0
        self._failures: list[ExitStatus] = []

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Raises all the same where no other can succeed either: without good credentials."""
        with self.preparing(name):
            yield
            self.done += 1

    @contextmanager
    def preparing(self, name: str) -> Iterator[None]:
        """As `one`, for what must go well first."""
        try:
            yield
        except (NotAuthenticated, CredentialsMissing):
            raise
        except (ClientError, OSError) as error:
            _end_unread(error)
            self._failures.append(exit_status(error))
            told, prefix = sentence(error), f"{printable(name)}: "
            named = told.startswith(prefix)  # the system's errors say the file's name
            tell(told if named or not self._named else prefix + told)
            if self._failed:
                self._failed(name, error)

    def end(self) -> None:
        """The status is that of the failures where nothing was done and all failed alike, else 1."""
        if not self._failures:
            return
        alike = len(set(self._failures)) == 1 and not self.done
        raise typer.Exit(self._failures[0] if alike else ExitStatus.FAILED)


def _end_unread(error: Exception) -> None:
    """A closed standard output (`| head`) ends the program quietly."""
    if not isinstance(error, BrokenPipeError):
        return
    # Python writes what is left when it exits, and would say that nobody reads it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(ExitStatus.NOBODY_READS) from error
