"""The WAVs that `pigwav upload` sends: files, the files in folders, and standard input."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from pigwav.cli.failures import LocalFailure

SUFFIXES: Final = (".wav", ".wave", ".bwf", ".rf64")
STANDARD_INPUT: Final = Path("-")
_SPECIAL: Final[Mapping[int, str]] = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_BLOCK_BYTES: Final = 64 * 1024


class NoWavFound(LocalFailure):
    """The folder contains no WAV."""

    code = "no-wavs-in-folder"


@dataclass(frozen=True)
class Source:
    """One WAV to send. `path` is `-` for standard input."""

    path: Path

    @property
    def name(self) -> str:
        """The path as the user gave it."""
        return str(self.path)

    def size_bytes(self) -> int | None:
        """None if the size is not known in advance."""
        if self.path == STANDARD_INPUT:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return None  # the upload reports the error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def opened(self) -> Path | BinaryIO | AsyncIterator[bytes]:
        """The WAV in a form that the client accepts."""
        if self.path != STANDARD_INPUT:
            return self.path
        mode = os.fstat(sys.stdin.fileno()).st_mode
        return _piped() if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else sys.stdin.buffer


@dataclass(frozen=True)
class Found:
    """The WAVs at a path. `skipped`: what is not sent, with the reason. `unreadable`: the errors of subfolders."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    unreadable: list[OSError] = field(default_factory=list)


def wavs_in(path: Path) -> Found:
    """The file itself, or all WAVs in a folder and its subfolders, sorted, without hidden files and folders.

    In a folder, pipes, sockets and devices are skipped, because reading them may never end, and so are links to other
    folders, because such links can form a circle.
    """
    if not path.is_dir():
        return Found([Source(path)])
    found = Found()
    for parent, folders, files in os.walk(path, onerror=found.unreadable.append):
        here = Path(parent)
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = (here / name for name in folders if (here / name).is_symlink())
        found.skipped.extend((link, "a link to a folder") for link in links)
        for file in (here / name for name in files if not name.startswith(".")):
            if file.suffix.lower() in SUFFIXES:
                _add(file, found)
    found.sources.sort(key=lambda source: source.path)
    return found


def _add(file: Path, found: Found) -> None:
    try:
        kind = _SPECIAL.get(stat.S_IFMT(file.stat().st_mode))
    except OSError:
        kind = None  # the upload reports the error
    if kind:
        found.skipped.append((file, kind))
    else:
        found.sources.append(Source(file))


def total_bytes(sources: Iterable[Source]) -> int | None:
    """None if one of the sizes is not known in advance."""
    sizes = [source.size_bytes() for source in sources]
    return None if None in sizes else sum(size for size in sizes if size is not None)


async def _piped() -> AsyncIterator[bytes]:
    """Reads a pipe on standard input without a thread: a thread that waits for a pipe cannot be interrupted."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    try:
        while block := await reader.read(_BLOCK_BYTES):
            yield block
    finally:
        transport.close()
