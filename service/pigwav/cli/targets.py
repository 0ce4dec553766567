"""The files that `pigwav download` saves to. A name clash loses no file; a complete file is not downloaded again."""

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
    """The file exists, is not an MP3, and `--force` was not given."""


@dataclass(frozen=True)
class Target:
    """A file to save to. `there`: it already holds the recording."""

    path: Path
    there: bool


@dataclass(frozen=True)
class NamedFile:
    """The file that the user named with `-o FILE`."""

    path: Path
    force: bool

    def target(self, offered: Offered) -> Target:
        """Another MP3 of that name is replaced, because the user named it. Raises WouldOverwrite for any other file,
        and OSError.
        """
        there = _holds(self.path, offered)
        if not (there or self.force or _is_replaceable(self.path)):
            raise WouldOverwrite(f"{self.path} exists and is not an MP3. Use -f to replace it.")
        return Target(self.path, there)


@dataclass(frozen=True)
class Folder:
    """Files in a folder, named by the service. If another file has the name, a number is added: `Name (2).mp3`.

    `force` replaces the file of that name, except one that this command has saved or tried to save. The next command
    with the same links in the same order therefore finds each partial file again.
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
    """The same text for all names that a file system, such as that of macOS, may treat as one name."""
    return unicodedata.normalize("NFC", path.name).casefold()


def _holds(path: Path, offered: Offered) -> bool:
    if not path.is_file() or offered.size_bytes not in (None, path.stat().st_size):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == offered.sha256


def _is_replaceable(path: Path) -> bool:
    """Whether the file may be replaced: an MP3 (begins with ID3 or with the eleven set bits of a frame header), an
    empty file, or no file at all.
    """
    if not path.is_file():
        return True
    with path.open("rb") as file:
        first = file.read(_BEGINS_BYTES)
    return first in (b"", b"ID3") or (first[0] == 0xFF and first[1:2] >= b"\xe0")
