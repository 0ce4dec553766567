"""How a failed command ends: one sentence on standard error and an exit status. Exit statuses are stable."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import ClassVar, Final

import typer

from pigwav.cli.display import printable
from pigwav.cli.standard_error import print_error
from pigwav.client import (
    ClientError,
    CredentialsMissing,
    DownloadBroken,
    InvalidAddress,
    InvalidProxy,
    NotAuthenticated,
    Refused,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
    WavChanged,
)


class ExitStatus(IntEnum):
    """0 means success, 130 means interrupted by Ctrl-C."""

    FAILED = 1
    USAGE = 2
    NOT_AUTHENTICATED = 3
    REFUSED = 4
    TRY_LATER = 5
    DOWNLOAD_BROKEN = 6
    BROKEN_PIPE = 141
    """Standard output was closed (`| head`). The shell reports 141 for programs that SIGPIPE ends."""


class LocalFailure(ClientError):
    """A failure on this machine, without the service."""

    code: ClassVar[str] = "failed"


class UsageError(LocalFailure):
    """The arguments do not make sense."""


LOCAL_CODES: Final[Mapping[type[Exception], str]] = {
    InvalidAddress: "address-invalid",
    InvalidProxy: "proxy-invalid",
    Unreachable: "unreachable",
    UnexpectedAnswer: "unexpected-answer",
    WavChanged: "file-changed",
    FileNotFoundError: "file-missing",
    PermissionError: "file-forbidden",
    OSError: "file-unusable",
}
"""Codes of failures without a code from the service, from special to general. They are stable."""


def exit_status(error: Exception) -> ExitStatus:
    match error:
        case InvalidAddress() | InvalidProxy() | UsageError():
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
    """The code for programs: the service's own if it refused the request, else one of LOCAL_CODES."""
    if isinstance(error, Refused | LocalFailure):
        return error.code
    names = (name for kind, name in LOCAL_CODES.items() if isinstance(error, kind))
    return next(names, LocalFailure.code)


def reason(error: Exception) -> str:
    """What went wrong, without the code and without the file name."""
    match error:
        case Refused():
            return printable(error.detail or error.title)
        case OSError(strerror=str(text)):
            return printable(text)
    return printable(str(error))


def sentence(error: Exception) -> str:
    """One line for people. If the service refused the request, it includes the code and the limit that was reached."""
    if isinstance(error, OSError) and error.filename:
        return f"{printable(str(error.filename))}: {reason(error)}"
    return printable(str(error)) if isinstance(error, Refused) else reason(error)


def print_waiting(error: ClientError, wait_s: float) -> None:
    """Tells a person at the terminal why the command waits. Waits of less than a second are not shown."""
    if wait_s >= 1 and sys.stderr.isatty():
        print_error(f"Waiting {wait_s:.0f} s, then trying again: {sentence(error)}")


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turns a ClientError or OSError into a sentence on standard error and an exit status."""
    try:
        yield
    except (ClientError, OSError) as error:
        _end_unread(error)
        print_error(sentence(error))
        raise typer.Exit(exit_status(error)) from error


class Attempts:
    """Runs several tasks. A task that fails does not stop the others."""

    def __init__(self, *, named: bool, failed: Callable[[str, Exception], None] | None = None) -> None:
        """`named`: messages begin with the name of the failed task; a single task does not need it.

        `failed` is called for each failure.
        """
        self._named = named
        self._failed = failed
        self.done = 0
        self._failures: list[ExitStatus] = []

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """One task. Errors about credentials are raised, because then no other task can succeed."""
        with self.preparing(name):
            yield
            self.done += 1

    @contextmanager
    def preparing(self, name: str) -> Iterator[None]:
        """A step before the task: as `one`, but success is not counted."""
        try:
            yield
        except (NotAuthenticated, CredentialsMissing):
            raise
        except (ClientError, OSError) as error:
            _end_unread(error)
            self._failures.append(exit_status(error))
            told, prefix = sentence(error), f"{printable(name)}: "
            named = told.startswith(prefix)  # an OSError's sentence already begins with the file name
            print_error(told if named or not self._named else prefix + told)
            if self._failed:
                self._failed(name, error)

    def end(self) -> None:
        """Exits if a task failed: with the common status if no task succeeded and all failures have the same status,
        else with 1.
        """
        if not self._failures:
            return
        alike = len(set(self._failures)) == 1 and not self.done
        raise typer.Exit(self._failures[0] if alike else ExitStatus.FAILED)


def _end_unread(error: Exception) -> None:
    """If standard output was closed (`| head`), ends the program without a message."""
    if not isinstance(error, BrokenPipeError):
        return
    # At exit Python flushes its buffer and would print an error about the closed pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(ExitStatus.BROKEN_PIPE) from error
