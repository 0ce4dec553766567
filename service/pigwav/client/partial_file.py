"""The partial file of a download: appended to, hashed as it grows, renamed when complete."""

import hashlib
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

from pigwav.client.errors import OutputUnusable
from pigwav.client.transfer import BLOCK_BYTES

SUFFIX: Final = ".pigwav-part"
"""A name that no other program uses: an existing file of this name is taken for a download and may be discarded."""
_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class PartialFile:
    """`<to>.pigwav-part`, locked against other downloads. Blocking; every method may raise OSError.

    The file stays after `close` unless it is empty. `become_whole` renames it to `<to>`.
    """

    def __init__(self, file: BinaryIO, path: Path, to: Path) -> None:
        self._file = file
        self._path = path
        self._to = to
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self.keep_bytes(os.fstat(file.fileno()).st_size)

    @classmethod
    def open(cls, to: Path) -> Self:
        """Raises OutputUnusable if `to` is not a regular file, or if another download is writing it."""
        if to.is_dir() or (to.exists() and not to.is_file()):
            raise OutputUnusable(f"{to} is not a regular file.")
        path = to.with_name(to.name + SUFFIX)
        return cls(_locked(path), path, to)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""
        return self._digest.hexdigest()

    def keep_bytes(self, count: int) -> None:
        """Truncates the file to `count` bytes and hashes them again."""
        self._file.truncate(count)
        self._file.seek(0)
        self._digest = hashlib.sha256()
        self.size_bytes = 0
        while block := self._file.read(BLOCK_BYTES):
            self._digest.update(block)
            self.size_bytes += len(block)

    def append(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)
        self.size_bytes += len(block)

    def become_whole(self) -> None:
        """Replaces `to` atomically: after a power cut there is either the old file or the new one."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._to)

    def close(self) -> None:
        """The downloaded bytes stay for the next call; an empty file is removed."""
        if self.size_bytes == 0 and _is_at(self._path, self._file):
            with suppress(FileNotFoundError):
                self._path.unlink()
        self._file.close()


def _locked(path: Path) -> BinaryIO:
    while True:
        try:
            file = os.fdopen(os.open(path, _OPEN, 0o666), "r+b")
        except OSError as error:
            if path.is_symlink() or path.is_dir():
                raise OutputUnusable(f"{path} is not a regular file.") from error
            raise
        try:
            _lock(file, path)
        except OutputUnusable:
            file.close()
            raise
        if _is_at(path, file):
            return file
        file.close()  # the download that held the lock has renamed its file in the meantime


def _lock(file: BinaryIO, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise OutputUnusable(f"{path} is not a regular file.")
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - not available on Windows

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputUnusable(f"Another download is writing {path}.") from error


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
