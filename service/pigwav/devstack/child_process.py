"""One child process: how it is started, watched and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pigwav.devstack import launch
from pigwav.devstack.folder import open_log, translate_errors
from pigwav.devstack.sockets import is_in_the_way

_TAIL_BYTES: Final = 2000


@dataclass(frozen=True)
class Program:
    """Everything that is needed to start and stop a child process.

    - `stop_by`: signals, each with the seconds to wait before the next one
    - `folder`: the working folder
    - `log`: the log file; None means our own standard error
    - `leftovers`: files that the program leaves behind if it is killed
    - `temporary`: an empty folder outside the data folder, removed after the last stop
    - `after_stop`: called after the last stop
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)  # holds keys
    stop_by: Sequence[tuple[signal.Signals, float]]
    folder: Path | None = None
    log: Path | None = None
    identity: str = "as-is"
    dies_with_us_by: signal.Signals = signal.SIGKILL
    inherits: Sequence[int] = ()
    leftovers: Sequence[Path] = ()
    temporary: Path | None = None
    before_start: Callable[[], None] = field(default=lambda: None)
    after_stop: Callable[[], None] = field(default=lambda: None)


class ChildProcess:
    """A program that is running or has ended. Start it from the main thread: it dies with the thread that started it.

    `renewed` returns the program for each start, if its ports or environment may have changed.
    """

    def __init__(self, program: Program, *, renewed: Callable[[], Program] | None = None) -> None:
        self.program = program
        self._renewed = renewed
        self._process: subprocess.Popen[bytes] | None = None
        self._steps: list[tuple[signal.Signals, float]] = []
        self._step_ends_at = 0.0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Raises FolderUnusable if the log file cannot be opened, and the errors of `renewed`."""
        self.remove_leftovers()
        if self._renewed is not None:
            self.program = self._renewed()
        program = self.program
        program.before_start()
        output = None
        if program.log is not None:
            with translate_errors(program.log.parent):
                output = open_log(program.log)
        try:
            self._process = self._spawn(output)
        finally:
            if output is not None:
                os.close(output)

    def _spawn(self, output: int | None) -> subprocess.Popen[bytes]:
        program = self.program
        launcher = (sys.executable, "-I", "-S", launch.__file__)
        tie = (str(os.getpid()), str(int(program.dies_with_us_by)), program.identity)
        return subprocess.Popen(  # noqa: S603 - programs and arguments are ours
            [*launcher, *tie, *program.argv],
            env=dict(program.environment),
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if output is None else output,
            stderr=output,
            pass_fds=program.inherits,
            start_new_session=True,  # Ctrl-C must reach only us: we stop the children in order
        )

    def begin_stop(self) -> None:
        self._steps = list(self.program.stop_by)
        self._next_step()

    def kill(self) -> None:
        """Sends SIGKILL. A Watch starts the process again."""
        if self._process is not None:
            self._process.kill()

    def is_stopping(self) -> bool:
        """Whether it still runs; False if it ignores even the last signal. Sends the next signal if it is due."""
        if self.is_running and time.monotonic() >= self._step_ends_at:
            if not self._steps:
                return False
            self._next_step()
        return self.is_running

    def escalate(self) -> None:
        """Makes the next signal due now."""
        self._step_ends_at = 0.0

    def remove_leftovers(self) -> None:
        for path in self.program.leftovers:
            # On a read-only disk, unlink fails even for a missing file.
            if path.exists() and not is_in_the_way(path):
                path.unlink(missing_ok=True)

    def clean_up(self) -> None:
        """Called after the last stop. Removes everything except data and logs."""
        self.remove_leftovers()
        if self.program.temporary is not None:
            with suppress(OSError):
                self.program.temporary.rmdir()
        self.program.after_stop()

    def exit_summary(self) -> str:
        """How it ended, and the last lines of its log."""
        code = self.exit_code
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit code {code}"
        )
        words = "see its messages above" if self.program.log is None else _tail(self.program.log)
        return f"{self.program.name} {how}: {words}"

    def _next_step(self) -> None:
        number, seconds = self._steps.pop(0)
        self._step_ends_at = time.monotonic() + seconds
        if self._process is not None:
            self._process.send_signal(number)


def _tail(log: Path) -> str:
    """The last lines of a log, on one line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"its log {log} cannot be read ({error.strerror})"
    return " | ".join(line.strip() for line in lines[-3:] if line.strip()) or f"see {log}"
