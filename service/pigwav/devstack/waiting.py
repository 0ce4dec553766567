"""How the supervisor waits: in short steps, so that it notices a signal at once and nothing blocks forever."""

import select
import signal
import socket
import time
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Final, Protocol, Self

POLL_S: Final = 0.01


class StopRequested(Exception):
    """A signal asked us to stop."""


class Waiter(Protocol):
    @property
    def stops(self) -> int:
        """How many stop signals have arrived. Further ones mean that processes get their next stop signal at once."""

    def wait(self, seconds: float) -> None:
        """Returns after that time, or earlier if a signal arrives or the state of a child may have changed."""


class Sleeper:
    """A Waiter for commands and tests that start a stack without signal handlers."""

    stops = 0

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, POLL_S))


class Signals:
    """A Waiter that wakes when a child ends and on SIGINT, SIGTERM and SIGHUP. Main thread only."""

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
        """Waits in select. A signal writes its number to the socket pair, which ends the wait."""
        if select.select([self._read], [], [], seconds)[0]:
            self._read.recv(4096)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1
