"""Firefox, driven by Marionette: the protocol that geckodriver speaks with it. So no driver is needed.

A message is its length in bytes, a colon and JSON. A command is [0, number, name, parameters], its answer
[1, number, error, result]. The names are those of WebDriver's commands
(https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html).
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from waiting import wait_until

_PORT_FILE: Final = "MarionetteActivePort"
_ANY_PORT: Final = {"marionette.port": 0}
# The access is to Firefox's own objects, among them its console.
_OPTIONS: Final = ("--marionette", "--headless", "--no-remote", "--remote-allow-system-access")
_ANSWERS_WITHIN_S: Final = 60


class CommandFailed(Exception):
    """Firefox refused a command. The text is Firefox's own."""


@dataclass(frozen=True)
class Marionette:
    """A connection. One command at a time."""

    stream: BinaryIO
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def send(self, command: str, **parameters: object) -> Any:
        """The command's result, without the object around a single value."""
        message = json.dumps([0, next(self.numbers), command, parameters]).encode()
        self.stream.write(b"%d:%b" % (len(message), message))
        self.stream.flush()
        _, _, error, result = self.receive()
        if error:
            raise CommandFailed(f"{command}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def receive(self) -> Any:
        length = b"".join(iter(lambda: self.stream.read(1), b":"))
        return json.loads(self.stream.read(int(length)))


@contextmanager
def marionette(
    program: str, profile: Path, preferences: dict[str, object], environment: dict[str, str]
) -> Iterator[Marionette]:
    """A Firefox without a screen, with a session. `profile` is an empty folder."""
    lines = (
        f"user_pref({json.dumps(key)}, {json.dumps(value)});"
        for key, value in (preferences | _ANY_PORT).items()
    )
    (profile / "user.js").write_text("\n".join(lines))
    with subprocess.Popen(
        [program, *_OPTIONS, "--profile", str(profile)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            with _session(profile / _PORT_FILE) as session:
                yield session
        finally:
            process.terminate()


@contextmanager
def _session(port_file: Path) -> Iterator[Marionette]:
    wait_until(lambda: port_file.exists() and bool(port_file.read_text()))
    address = ("127.0.0.1", int(port_file.read_text()))
    with (
        socket.create_connection(address, timeout=_ANSWERS_WITHIN_S) as connection,
        connection.makefile("rwb") as stream,
    ):
        session = Marionette(stream)
        session.receive()  # a greeting
        session.send("WebDriver:NewSession", capabilities={})
        yield session
