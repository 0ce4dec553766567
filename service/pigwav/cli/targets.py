"""The files that `pigwav download` saves to. No name clash loses a file; a complete file is not fetched again."""

import hashlib
import itertools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pigwav.cli.failures import LocalFailure
from pigwav.client import Offered

_BEGINS_BYTES: Final = 3


class WouldOverwrite(LocalFailure):
    """The file is there already, is no MP3, and nobody said that it may go."""


@dataclass(frozen=True)
class Target:
    """A file to save in. `there`: it holds the recording already."""

    path: Path
    there: bool


@dataclass(frozen=True)
class NamedFile:
    """The file that the person named."""

    path: Path
    force: bool

    def target(self, offered: Offered) -> Target:
        """Another MP3 may go: whoever names it means it. Raises WouldOverwrite for what is none; OSError."""
        there = _holds(self.path, offered)
        if not (there or self.force or _may_go(self.path)):
            raise WouldOverwrite(f"{self.path} is there already, and no MP3: -f replaces it.")
        return Target(self.path, there)


@dataclass(frozen=True)
class Folder:
    """Takes the names that the service gives. One that is taken by something else is numbered: `Name (2).mp3`.

    `force` replaces the file of that name, but none that this same command has saved or was to save. So a partial
    file is found again by the next command that names the same links in the same order.
    """

    path: Path
    force: bool
    _used: set[str] = field(default_factory=set)

    def target(self, offered: Offered) -> Target:
        """Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        candidates = (self.path / name for name in _numbered(offered.name))
        target = next(found for to in candidates if (found := self._usable(to, offered)))
        self._used.add(_spelling(target.path))
        return target

    def _usable(self, to: Path, offered: Offered) -> Target | None:
        if _holds(to, offered):
            return Target(to, there=True)
        if _spelling(to) in self._used or ((to.exists() or to.is_symlink()) and not self.force):
            return None
        return Target(to, there=False)


def _numbered(name: str) -> Iterator[str]:
    """`Name.mp3`, `Name (2).mp3`, `Name (3).mp3`..."""
    yield name
    path = Path(name)
    yield from (f"{path.stem} ({number}){path.suffix}" for number in itertools.count(2))


def _spelling(path: Path) -> str:
    """One for all that a file system may take for the same name, as that of macOS does."""
    return unicodedata.normalize("NFC", path.name).casefold()


def _holds(path: Path, offered: Offered) -> bool:
    if not path.is_file() or offered.size_bytes not in (None, path.stat().st_size):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == offered.sha256


def _may_go(path: Path) -> bool:
    """Whether it is no loss: an MP3, which begins with ID3 or a frame's eleven set bits; an empty file; none."""
    if not path.is_file():
        return True
    with path.open("rb") as file:
        first = file.read(_BEGINS_BYTES)
    return first in (b"", b"ID3") or (first[0] == 0xFF and first[1:2] >= b"\xe0")
