"""Long work on many recordings: Ctrl-C finishes the current one, and progress lines show how far it is."""

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final, TypeVar

import typer

PROGRESS_EVERY_S: Final = 10
"""Seconds between two progress lines at a terminal."""

T = TypeVar("T")


def until_stopped(work: Iterable[T], so_far: object) -> Iterator[T]:
    """`work`, up to the first Ctrl-C or SIGTERM; the second one ends the program at once. At a terminal, prints
    `so_far` as a progress line every PROGRESS_EVERY_S.
    """
    told_at_s = time.monotonic()
    with _stopping() as stopped:
        for one in work:
            yield one
            if stopped.is_set():
                return
            if sys.stderr.isatty() and time.monotonic() > told_at_s + PROGRESS_EVERY_S:
                typer.echo(f"{so_far}", err=True)
                told_at_s = time.monotonic()


@contextmanager
def _stopping() -> Iterator[Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets. The second one ends the program at once."""
    stopped = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a signal handler
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
