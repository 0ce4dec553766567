"""Runs a program at a pseudo-terminal: types input and reads the screen."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

CTRL_C: Final = "\x03"

# The terminal becomes the program's controlling terminal: getpass opens /dev/tty, and Ctrl-C reaches its group.
_TAKE_TERMINAL: Final = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_CONTROL: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\]8;.*?\x1b\\|[\r\n]")


class Terminal:
    """`typed_out`: all output so far, with escape sequences."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self._process = process
        self._master = master
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.typed_out = ""

    def wait_for(self, text: str, *, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while text not in self.typed_out:
            assert time.monotonic() < deadline, f"{text!r} did not appear: {self.typed_out!r}"
            assert self._read(), f"the program ended without {text!r}: {self.typed_out!r}"

    def wait_for_screen(self, pattern: str, *, within_s: float = 60) -> None:
        """Waits until the whole screen matches. What is drawn in several writes matches only when all have come."""
        deadline = time.monotonic() + within_s
        while not re.fullmatch(pattern, self.screen()):
            assert time.monotonic() < deadline, f"the screen never matched: {self.screen()}"
            assert self._read(), f"the program ended, and the screen never matched: {self.typed_out!r}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self, *, within_s: float = 60) -> int:
        """Waits until the program has ended and returns its exit status."""
        deadline = time.monotonic() + within_s
        while self._read():
            assert time.monotonic() < deadline, f"the program did not end: {self.typed_out!r}"
        return self._process.wait(within_s)

    def screen(self) -> str:
        """The text on the screen now."""
        return screen_of(self.typed_out)

    def _read(self) -> bool:
        """Reads output. False if there is no more."""
        if not select.select([self._master], [], [], 0.5)[0]:
            return True
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # Linux raises EIO when the last writer has closed it
            return False
        self.typed_out += self._decoder.decode(piece)
        return bool(piece)


@contextmanager
def at_terminal(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    columns: int = 100,
    kind: str = "xterm-256color",
    standard_output: int | None = None,
) -> Iterator[Terminal]:
    """Runs the program at a terminal. `kind`: TERM. `standard_output`: a descriptor (None: the terminal)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", _TAKE_TERMINAL, *command],
        stdin=slave,
        stdout=slave if standard_output is None else standard_output,
        stderr=slave,
        env=_without_size(environment) | {"TERM": kind},
        cwd=folder,
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            os.close(master)


def _without_size(environment: Mapping[str, str]) -> dict[str, str]:
    """Removes the terminal size that a test runner may set: it takes precedence over the terminal's own."""
    return {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}


def screen_of(output: str) -> str:
    """The text on a terminal after this output: applies cursor moves and erasures, ignores colours."""
    lines, row, column, position = [""], 0, 0, 0
    for control in _CONTROL.finditer(output):
        column = _write(lines, row, column, output[position : control.start()])
        position = control.end()
        if control[0] == "\r":
            column = 0
        elif control[0] == "\n":
            row += 1
            lines.extend([""] * (row - len(lines) + 1))
        elif control[2] == "A":
            row = max(0, row - int(control[1] or 1))
        elif control[2] == "K":
            lines[row] = "" if control[1] == "2" else lines[row][:column]
    _write(lines, row, column, output[position:])
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"


def _write(lines: list[str], row: int, column: int, text: str) -> int:
    """Writes text on the screen and returns the column after it."""
    if text:
        lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + len(text) :]
    return column + len(text)
