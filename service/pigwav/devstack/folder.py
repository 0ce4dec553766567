"""The data folder: its lock, its layout, and clear errors if it cannot be used."""

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

from pigwav.devstack.ownership import check_folder, make_private_folder, open_private
from pigwav.devstack.processes import is_running
from pigwav.devstack.waiting import StopRequested, Waiter
from pigwav.errors import FolderInUse, FolderUnusable

RELEASE_WITHIN_S: Final = 10.0
"""How long we wait for a killed or stopping predecessor to release the folder, in seconds."""

OWNER_ALIVE_AFTER_S: Final = 1.0
"""If the owner's process still exists after this many seconds, it is alive, and not one that has just been killed."""

MIB: Final = 1024 * 1024

LOG_BYTES: Final = 10 * MIB


@dataclass(frozen=True)
class DataFolder:
    """The folder's absolute path, and the paths in it.

    Only our user may read what is inside (0700, 0600), and no other user can change or replace it (ownership.py).
    """

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
        """Pid, URL, ports and keys of the running `up`; exists only while it runs."""
        return self.path / "run.json"

    @property
    def children_file(self) -> Path:
        """The processes that a killed `up` may have left behind."""
        return self.path / "children.json"

    @property
    def lock_file(self) -> Path:
        """Locked while the folder is in use. Contains the owner's pid; empty while the owner is stopping."""
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @contextmanager
    def taken(self, waiter: Waiter) -> Iterator[None]:
        """Holds the folder's lock during the block. Raises FolderInUse, FolderUnusable, StopRequested."""
        with translate_errors(self.path):
            make_private_folder(self.path)
            # Children do not inherit the descriptor (O_CLOEXEC): a dying child must not hold the lock.
            lock = open_private(self.lock_file, os.O_RDWR | os.O_CREAT)
        try:
            self._acquire(lock, waiter)
            with translate_errors(self.path):
                os.ftruncate(lock, 0)
                os.pwrite(lock, b"%d" % os.getpid(), 0)
                self._prepare()
            yield
        finally:
            os.close(lock)

    def leave(self) -> None:
        """Tells a successor that we are stopping: it then waits up to RELEASE_WITHIN_S for the lock.

        Otherwise it would wait OWNER_ALIVE_AFTER_S.
        """
        with suppress(OSError, FolderUnusable):
            lock = open_private(self.lock_file, os.O_WRONLY)
            os.ftruncate(lock, 0)
            os.close(lock)

    def is_used(self) -> bool:
        """Whether the folder already contains a database. Raises FolderUnusable."""
        with translate_errors(self.path):
            return self.postgres.exists()

    def is_taken(self) -> bool:
        """Whether a process holds the folder's lock. Raises FolderUnusable if another user can change the folder."""
        try:
            check_folder(self.path)
            lock = open_private(self.lock_file, os.O_RDONLY)
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
            if time.monotonic() - began > (OWNER_ALIVE_AFTER_S if lives else RELEASE_WITHIN_S):
                by = f" (process {owner})" if owner else ""
                raise FolderInUse(f"Another PigWav{by} runs on the data folder {self.path}.")
            waiter.wait(0.05)
            if waiter.stops:
                raise StopRequested

    def _prepare(self) -> None:
        disk = shutil.disk_usage(self.path)
        if disk.free < needed_bytes(disk.total):
            needed = f"{needed_bytes(disk.total) // MIB} MiB"
            raise FolderUnusable(
                f"The data folder {self.path} cannot be used: the disk is full ({needed} must be free)."
            )
        for inner in (self.s3, self.logs):
            make_private_folder(inner, what="folder")
        self.run_file.unlink(missing_ok=True)


def needed_bytes(disk_bytes: int) -> int:
    """Free bytes that a start needs: enough for a Postgres cluster and its log, and more than the 1 % of the disk at
    which SeaweedFS refuses writes.
    """
    return max(200 * MIB, disk_bytes * 11 // 1000)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Translates an OSError in the block to a FolderUnusable that names the folder and the reason."""
    try:
        yield
    except FileExistsError as error:  # mkdir(exist_ok=True) found something that is not a folder
        raise FolderUnusable(
            f"The data folder {path} cannot be used: there is a file of that name."
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise FolderUnusable(f"The data folder {path} cannot be used: {reason}.") from error


def open_log(path: Path) -> int:
    """Opens a log for appending and returns its descriptor. A log above 10 MiB is first renamed to `.log.old`.

    Raises FolderUnusable, OSError.
    """
    with suppress(FileNotFoundError):
        if path.lstat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.old"))
    return open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
