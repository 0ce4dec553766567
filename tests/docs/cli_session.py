"""Prints a session of `pigwav` at a terminal of 100 columns: the real program with its own `pigwav up`.

python tests/docs/cli_session.py > session.txt
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does

from factories import chunk, wav
from running_up import pigwav_up, plain_environment
from terminals import CTRL_C, Terminal, at_terminal

COLUMNS: Final = 100
_PIGWAV: Final = f"{sys.executable} -m pigwav"


class Person:
    """Runs commands at a terminal and prints the screen."""

    def __init__(self, home: Path, url: str) -> None:
        self._home = home
        programs = home / "bin"
        programs.mkdir(parents=True)
        (programs / "pigwav").write_text(f'#!/bin/sh\nexec {_PIGWAV} "$@"\n')
        (programs / "pigwav").chmod(0o755)
        own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PIGWAV_URL": url}
        self._environment = plain_environment(own | {"PATH": f"{programs}:{os.environ['PATH']}"})

    def file(self, name: str, content: bytes) -> None:
        path = self._home / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    def types(self, line: str, *, in_the_middle: str = "", then: str = "") -> str:
        """Runs a command. When the text `in_the_middle` appears, prints the screen and types `then`."""
        _show(f"$ {line}\n")
        command = ["bash", "-c", line]
        with at_terminal(
            command, environment=self._environment, folder=self._home, columns=COLUMNS
        ) as terminal:
            if in_the_middle:
                terminal.wait_for(in_the_middle)
                self._looks(terminal, then)
            status = terminal.end()
        if terminal.screen().strip():
            _show(terminal.screen())
        if status:
            _show(f"# exit status {status}\n")
        _show("\n")
        return terminal.screen()

    def _looks(self, terminal: Terminal, then: str) -> None:
        if then in ("", CTRL_C):
            _show("# in the middle of it:\n" + terminal.screen() + "# in the end:\n")
        terminal.type(then)


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def old_cyrillic() -> bytes:
    """A WAV with a title in CP1251, as programs on Russian Windows write it."""
    title = "Утренняя планёрка".encode("cp1251")
    return wav(seconds=61, before=chunk(b"LIST", b"INFO" + chunk(b"INAM", title)))


def session(anna: Person) -> None:
    anna.types("pigwav register 'Анна'")
    link = anna.types("pigwav upload REC001.wav").strip()
    anna.types("pigwav upload Recordings", in_the_middle="3 of 4")
    anna.types("pigwav list")
    anna.types("pigwav list | cut -f 1,2,3")
    anna.types(f"pigwav show '{link}'")
    anna.types(f"pigwav rename '{link}' 'Планёрка, понедельник'")
    anna.types(f"pigwav download '{link}' && ls -l *.mp3")
    anna.types(f"pigwav download '{link}'")
    anna.types("pigwav upload Recordings/long.wav", in_the_middle="MB/s", then=CTRL_C)
    anna.types("cat REC001.wav | pigwav upload - --title 'From a pipe' --bitrate 192 -q")
    anna.types(f"pigwav delete '{link}'", in_the_middle="[y/N] ", then="y\n")
    anna.types(f"pigwav download '{link}'")
    anna.types("pigwav token rotate")
    anna.types("pigwav list --url https://elsewhere.example")
    anna.types("PIGWAV_TOKEN=23e10bfa-ce68-4444-95dd-4af608f2bf47 PIGWAV_USER=1 pigwav list")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "anna"
        with pigwav_up(Path(folder) / "data", log=Path(folder) / "up.log") as up:
            anna = Person(home, up.url)
            anna.file("REC001.wav", old_cyrillic())
            for name, seconds in (("interview", 300), ("long", 900), ("short", 2)):
                anna.file(f"Recordings/{name}.wav", wav(seconds=seconds))
            anna.file("Recordings/notes.wav", b"These are notes, not audio. " * 10)
            session(anna)


if __name__ == "__main__":
    main()
