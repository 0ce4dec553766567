"""The data folder: who owns it now, what lies where, and plain words for what is wrong with it."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pigwav.devstack.processes import is_running
from pigwav.devstack.waiting import StopRequested, Waiter
from pigwav.errors import FolderInUse, FolderUnusable

DYING_S: Final = 10.0
"""How long a predecessor that was killed or is stopping may take to let go."""

ALIVE_S: Final = 1.0
"""An owner that still runs after this long lives; one that has just been killed does not."""

MIB: Final = 1024 * 1024

LOG_BYTES: Final = 10 * MIB


@dataclass(frozen=True)
class DataFolder:
    """Absolute path of the folder, and the places in it. Everything inside is for our eyes only (0700, 0600)."""

    path: Path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def s3(self) -> Path:
        return self.path / "s3"

    @property
    def metrics(self) -> Path:
        """The folder in which API workers share their metrics (PROMETHEUS_MULTIPROC_DIR)."""
        return self.path / "metrics"

    @property
    def run_file(self) -> Path:
        """Pid, ports and keys of the `up` that runs here; exists while it runs."""
        return self.path / "run.json"

    @property
    def children_file(self) -> Path:
        """The processes that a killed `up` may have left behind."""
        return self.path / "children.json"

    @property
    def lock_file(self) -> Path:
        """Locked while in use; holds the owner's pid, or nothing once the owner is stopping."""
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @contextmanager
    def taken(self, waiter: Waiter) -> Iterator[None]:
        """Own the folder for the length of the block. Raises FolderInUse, FolderUnusable."""
        with plain_words(self.path):
            _make_private(self.path)
            # Children do not inherit it (PEP 446): else a dying one would keep the folder.
            lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._acquire(lock, waiter)
            with plain_words(self.path):
                os.ftruncate(lock, 0)
                os.pwrite(lock, b"%d" % os.getpid(), 0)
                self._furnish()
            yield
        finally:
            os.close(lock)

    def leave(self) -> None:
        """From here on we are stopping: a successor waits for us instead of giving up."""
        with suppress(OSError):
            os.truncate(self.lock_file, 0)

    def is_used(self) -> bool:
        """Whether a PigWav has run here before. Raises FolderUnusable."""
        with plain_words(self.path):
            return self.postgres.exists()

    def is_taken(self) -> bool:
        """Whether a live process owns the folder."""
        try:
            lock = os.open(self.lock_file, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _acquire(self, lock: int, waiter: Waiter) -> None:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = os.pread(lock, 32, 0)
                owner = int(text) if text.isdigit() else None
            else:
                return
            lives = owner is not None and is_running(owner)
            if time.monotonic() - began > (ALIVE_S if lives else DYING_S):
                by = f" (process {owner})" if owner else ""
                raise FolderInUse(f"Another PigWav{by} runs on the data folder {self.path}.")
            waiter.wait(0.05)
            if waiter.stops:
                raise StopRequested

    def _furnish(self) -> None:
        disk = shutil.disk_usage(self.path)
        if disk.free < needed_bytes(disk.total):
            needed = f"{needed_bytes(disk.total) // MIB} MiB"
            raise FolderUnusable(
                f"The data folder {self.path} cannot be used: the disk is full ({needed} must be free)."
            )
        for inner in (self.s3, self.logs):
            _make_private(inner)
        self.run_file.unlink(missing_ok=True)


def needed_bytes(disk_bytes: int) -> int:
    """What a start needs: a Postgres cluster and its log; and SeaweedFS takes no writes when 1 % of a disk is free."""
    return max(200 * MIB, disk_bytes * 11 // 1000)


@contextmanager
def plain_words(path: Path) -> Iterator[None]:
    """An OSError in the block becomes a FolderUnusable that says which folder and why."""
    try:
        yield
    except FileExistsError as error:  # mkdir(exist_ok=True) found something that is no folder
        raise FolderUnusable(
            f"The data folder {path} cannot be used: there is a file of that name."
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise FolderUnusable(f"The data folder {path} cannot be used: {reason}.") from error


def open_log(path: Path) -> int:
    """A descriptor that appends to the log; beyond 10 MiB a new one is begun and the last one kept as `.old`."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.old"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
