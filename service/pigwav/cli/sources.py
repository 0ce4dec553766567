"""The WAVs that `pigwav upload` sends: files, the files in folders, and standard input."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pigwav.cli.failures import LocalFailure

SUFFIXES: Final = (".wav", ".wave", ".bwf", ".rf64")
STANDARD_INPUT: Final = Path("-")
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


def wavs_in(path: Path) -> list[Source]:
    """The file itself, or all WAVs in a folder and its subfolders, sorted, without hidden files and folders.

    Raises NoWavFound for a folder without a WAV, OSError for one that cannot be read.
    """
    if not path.is_dir():
        return [Source(path)]
    found = [Source(file) for file in sorted(_files_below(path)) if file.suffix.lower() in SUFFIXES]
    if not found:
        raise NoWavFound(f"No file in this folder ends in {', '.join(SUFFIXES)}.")
    return found


def total_bytes(sources: Iterable[Source]) -> int | None:
    """None if one of the sizes is not known in advance."""
    sizes = [source.size_bytes() for source in sources]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _files_below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


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
