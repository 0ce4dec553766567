"""Whether the disks have space for another recording, as far as that can be known before it comes."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pigwav.errors import StorageFull
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics

MEASURE_EVERY_S: Final = 1.0

HOLD_S: Final = 10.0
"""After the database or the store said that it is full. Then one upload is let through, to see."""


class DiskSpace:
    """What one process knows of the disks: it measures those of `folders`, and learns of others if an upload fails.

    Used on the event loop only. The folders are on local disks, which tell their free space without waiting.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        min_free_bytes: int,
        metrics: Metrics,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._min_free_bytes = min_free_bytes
        self._metrics = metrics
        self._now_s = now_s
        self._free_bytes: dict[Path, int] = {}
        self._measure_at_s = now_s()
        self._try_at_s: float | None = None

    def check(self) -> None:
        """Whether another upload may begin. Raises StorageFull."""
        self.measure()
        for folder, free_bytes in self._free_bytes.items():
            if free_bytes < self._min_free_bytes:
                raise StorageFull(
                    f"The disk of {folder} has {free_bytes} bytes free; PIGWAV_DISK_MIN_FREE_BYTES keeps"
                    f" {self._min_free_bytes}."
                )
        if self._try_at_s is not None and self._now_s() < self._try_at_s:
            raise StorageFull("The database or the store said so a moment ago.")

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Watch one upload, whether it finds a full disk. Raises StorageFull, as `check` does."""
        self.check()
        if self._try_at_s is not None:
            self._hold()  # the others wait for what this one finds
        try:
            yield
        except StorageFull:
            self._hold()
            raise
        self._try_at_s = None

    def measure(self) -> None:
        """How much is free, for the metrics too. At most once in MEASURE_EVERY_S."""
        now_s = self._now_s()
        if now_s < self._measure_at_s:
            return
        self._measure_at_s = now_s + MEASURE_EVERY_S
        self._free_bytes = dict(self._measured())

    def _measured(self) -> Iterator[tuple[Path, int]]:
        for folder in self._folders:
            try:
                free_bytes = shutil.disk_usage(folder).free
            except OSError as error:
                log.warning("free_space_unknown", folder=str(folder), reason=error.strerror)
                continue
            self._metrics.disk_free_bytes.labels(str(folder)).set(free_bytes)
            yield folder, free_bytes

    def _hold(self) -> None:
        self._try_at_s = self._now_s() + HOLD_S
