"""A user with a home folder who runs the program `pigwav`."""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias
from uuid import uuid4

from factories import wav
from forked import run_forked
from pigwav.client import PigWavClient
from running_up import plain_environment
from terminals import Terminal, at_terminal

Ended: TypeAlias = subprocess.CompletedProcess[str]

_PIGWAV = (sys.executable, "-m", "pigwav")
_names = (f"{uuid4()} {n}" for n in itertools.count())


@dataclass(frozen=True)
class Person:
    """Runs programs in `home`. `environment`: variables in addition to the usual ones."""

    home: Path
    url: str
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def in_folder(cls, home: Path, url: str) -> "Person":
        home.mkdir()
        return cls(home, url, {"PIGWAV_URL": url})

    @property
    def credentials_file(self) -> Path:
        config = "Library/Application Support" if sys.platform == "darwin" else ".config"
        return self.home / config / "pigwav" / "credentials.json"

    @property
    def remembered(self) -> dict[str, Any]:
        return json.loads(self.credentials_file.read_text())

    def with_environment(self, **variables: object) -> "Person":
        """The same user with only these variables. Saved credentials stay."""
        return Person(self.home, self.url, {name: str(value) for name, value in variables.items()})

    def all_variables(self) -> dict[str, str]:
        home = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config")}
        return plain_environment(home | {"PYTHONWARNINGS": "error"} | self.environment)

    def run(
        self, *words: object, stdin: IO[Any] | int = subprocess.DEVNULL, typed: str | None = None
    ) -> Ended:
        """Runs `pigwav` without a terminal. `typed`: text on standard input, through a pipe."""
        with ExitStack() as pipe:
            if typed is not None:
                stdin = pipe.enter_context(typed_into_a_pipe(typed))
            return run_forked(
                [*map(str, words)], folder=self.home, environment=self.all_variables(), stdin=stdin
            )

    def run_anew(self, *words: object) -> Ended:
        """Like `run` in a new Python process, for variables that are read at import."""
        return subprocess.run(
            [*_PIGWAV, *map(str, words)],
            cwd=self.home,
            env=self.all_variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    @staticmethod
    def program() -> str:
        """The program's command, quoted for a shell."""
        return shlex.join(_PIGWAV)

    @contextmanager
    def at_terminal(
        self, *words: object, command: Sequence[str] = _PIGWAV, **more: Any
    ) -> Iterator[Terminal]:
        """`more`: arguments of `terminals.at_terminal`."""
        with at_terminal(
            [*command, *map(str, words)], environment=self.all_variables(), folder=self.home, **more
        ) as terminal:
            yield terminal

    def seen(self, *words: object, columns: int = 100) -> tuple[int, str]:
        """Runs it at a terminal. Returns the exit status and the final screen."""
        with self.at_terminal(*words, columns=columns) as terminal:
            return terminal.end(), terminal.screen()

    def register(self) -> None:
        ended = self.run("register", next(_names))
        assert ended.returncode == 0, ended

    def be_registered(self) -> None:
        """Registers by the client, which is faster than the program, and saves the credentials."""
        with PigWavClient(self.url) as client:
            registered = client.register(next(_names))
        document = {"url": self.url, "user": registered.id, "token": str(registered.token)}
        self.credentials_file.parent.mkdir(parents=True)
        self.credentials_file.write_text(json.dumps(document))

    def file(self, name: str, content: bytes | None = None, *, seconds: float = 0.5) -> Path:
        """Writes a file in the home folder: a WAV, or `content`."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(seconds=seconds) if content is None else content)
        return path

    def upload(self, *words: object) -> str:
        """Uploads one WAV and returns its link. Without `words`, uses the client instead of the program."""
        if not words:
            known = self.remembered
            with PigWavClient(self.url, user_id=known["user"], token=known["token"]) as client:
                return client.upload(self.file("take one.wav")).url
        ended = self.run("upload", *words)
        assert ended.returncode == 0, ended
        return ended.stdout.strip()

    def listed(self) -> list[dict[str, Any]]:
        ended = self.run("list", "--json")
        assert ended.returncode == 0, ended
        return json.loads(ended.stdout)


def id_in(link: str) -> str:
    found = re.search(r"id=([0-9a-f-]{36})", link)
    assert found, link
    return found[1]


@contextmanager
def typed_into_a_pipe(typed: str) -> Iterator[int]:
    """The reading end of a pipe with the text, which must fit into the pipe's buffer."""
    reading, writing = os.pipe()
    try:
        os.write(writing, typed.encode())
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def closed_end() -> int:
    """The writing end of a pipe whose reading end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing
