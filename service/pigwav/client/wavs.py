"""The inputs of an upload: paths, bytes, open files, iterables. Each gives blocks, and its size if it is known."""

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

from pigwav.client.errors import WavChanged
from pigwav.client.transfer import BLOCK_BYTES

WavInput: TypeAlias = Path | str | bytes | bytearray | memoryview | BinaryIO | Iterable[bytes]
"""A path, bytes, an open binary file (read from its position; may be a pipe), or an iterable of blocks of any size."""


@dataclass(frozen=True)
class OpenWav:
    """A WAV, opened for one try. `size_bytes`: None if it is not known in advance."""

    size_bytes: int | None
    blocks: Iterator[bytes]


class Wav(Protocol):
    """A WAV to upload. `filename`: its file name, if it has one."""

    filename: str | None

    @property
    def repeatable(self) -> bool:
        """Whether `open` can give the whole WAV again, from its first byte."""

    def open(self, files: ExitStack) -> OpenWav:
        """Opens the WAV for one try; `files` closes what it opens. Blocking. Raises OSError."""


def wav_of(given: WavInput) -> Wav:
    """Raises TypeError if `given` is not a WavInput, for example a text file."""
    if isinstance(given, str | Path):
        return _PathWav(Path(given))
    if isinstance(given, bytes | bytearray | memoryview):
        return _BytesWav(memoryview(given).cast("B"))
    if hasattr(given, "read"):
        return _wav_of_file(given)
    if isinstance(given, Iterable):
        return _OneShotWav(iter(given))
    raise TypeError(f"A WAV must be a path, bytes, a binary file or an iterable of bytes, not {type(given)}.")


def _wav_of_file(file: Any) -> Wav:
    if isinstance(file, io.TextIOBase):
        raise TypeError("A WAV file must be opened in binary mode.")
    if hasattr(file, "seekable") and file.seekable():
        return _SeekableWav(file)
    return _OneShotWav(_read(file), _name_of(file))


class _PathWav:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.filename = path.name or None

    @property
    def repeatable(self) -> bool:
        return self._path.is_file()

    def open(self, files: ExitStack) -> OpenWav:
        file = files.enter_context(self._path.open("rb"))
        status = os.fstat(file.fileno())
        size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
        return OpenWav(size_bytes, _read(file, size_bytes))


class _BytesWav:
    filename: str | None = None
    repeatable: Final = True

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def open(self, files: ExitStack) -> OpenWav:  # noqa: ARG002 - there is nothing to close
        return OpenWav(len(self._view), self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        for start in range(0, len(self._view), BLOCK_BYTES):
            yield bytes(self._view[start : start + BLOCK_BYTES])


class _SeekableWav:
    """An open file, read from its position. It is not closed."""

    repeatable: Final = True

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self.filename = _name_of(file)

    def open(self, files: ExitStack) -> OpenWav:  # noqa: ARG002 - it is the caller's
        size_bytes = max(0, self._file.seek(0, os.SEEK_END) - self._start)
        self._file.seek(self._start)
        return OpenWav(size_bytes, _read(self._file, size_bytes))


class _OneShotWav:
    """An input that can be read only once: repeatable until its first block is read."""

    def __init__(self, blocks: Iterator[bytes], filename: str | None = None) -> None:
        self._blocks = blocks
        self.filename = filename
        self.repeatable = True

    def open(self, files: ExitStack) -> OpenWav:  # noqa: ARG002 - it is the caller's
        return OpenWav(None, self._begun())

    def _begun(self) -> Iterator[bytes]:
        self.repeatable = False
        yield from self._blocks


def _read(file: Any, size_bytes: int | None = None) -> Iterator[bytes]:
    """The file's next `size_bytes` (None: up to its end) in blocks. Raises WavChanged if there are fewer bytes."""
    left_bytes = size_bytes
    while block := file.read(BLOCK_BYTES if left_bytes is None else min(BLOCK_BYTES, left_bytes)):
        left_bytes = None if left_bytes is None else left_bytes - len(block)
        yield block
    if left_bytes:
        raise WavChanged("The file became shorter while it was being sent.")


def _name_of(file: Any) -> str | None:
    """The name of a file that was opened by name. Standard input has the name `<stdin>`, a descriptor a number."""
    name = getattr(file, "name", None)
    return Path(name).name or None if isinstance(name, str) and not name.startswith("<") else None
