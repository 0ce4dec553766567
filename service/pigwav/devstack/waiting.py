"""How the supervisor waits: in small steps, so that a signal is noticed at once and nothing blocks forever."""

import select
import signal
import socket
import time
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Final, Protocol, Self

POLL_S: Final = 0.01


class StopRequested(Exception):
    """Somebody asked us to stop while we were starting."""


class Waiter(Protocol):
    @property
    def stops(self) -> int:
        """How often we were asked to stop: once is a request, twice is haste."""

    def wait(self, seconds: float) -> None:
        """Return after that long, or sooner when there may be news."""


class Sleeper:
    """For commands and tests that start a stack and leave signals alone."""

    stops = 0

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, POLL_S))


class Signals:
    """Wakes on the end of a child and on SIGINT, SIGTERM and SIGHUP. Main thread only."""

    _STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.stops = 0
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._read, write = socket.socketpair()
        for end in (self._read, write):
            end.settimeout(0)
            self._undo.callback(end.close)
        self._undo.callback(
            signal.set_wakeup_fd, signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        )
        for number in self._STOP:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup
            self._undo.callback(signal.signal, number, signal.signal(number, self._on_stop))
        self._undo.callback(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, lambda *_: None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def wait(self, seconds: float) -> None:
        """A signal writes its number into the socket pair, which ends the select."""
        if select.select([self._read], [], [], seconds)[0]:
            self._read.recv(4096)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1
