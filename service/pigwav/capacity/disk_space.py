"""Checks whether the disks have space before an upload is accepted."""

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
"""How long uploads are refused after the database or the store reported a full disk. Then one upload may try."""


class DiskSpace:
    """Measures the disks of `folders`, and notices that another disk is full when an upload fails. Per process.

    Used on the event loop only. The folders are on local disks, which report their free space without delay.
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
        """Raises StorageFull if no upload may begin."""
        self.measure()
        for folder, free_bytes in self._free_bytes.items():
            if free_bytes < self._min_free_bytes:
                raise StorageFull(
                    f"The disk of {folder} has {free_bytes} bytes free; PIGWAV_DISK_MIN_FREE_BYTES is"
                    f" {self._min_free_bytes}."
                )
        if self._try_at_s is not None and self._now_s() < self._try_at_s:
            raise StorageFull("The database or the object store has just reported a full disk.")

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Around one upload: records whether it fails with StorageFull. Raises StorageFull, as `check` does."""
        self.check()
        if self._try_at_s is not None:
            self._hold()  # other uploads are refused until the result of this one is known
        try:
            yield
        except StorageFull:
            self._hold()
            raise
        self._try_at_s = None

    def measure(self) -> None:
        """Measures free space, also for the metrics. At most once in MEASURE_EVERY_S."""
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
