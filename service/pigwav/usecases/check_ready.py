"""Checks whether this process can accept an upload now."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Protocol

from pigwav.capacity.open_uploads import OpenUploads
from pigwav.db import revision
from pigwav.db.session import Database
from pigwav.domain import ObjectKey
from pigwav.errors import DatabaseUnavailable, ObjectMissing, StorageFull, StoreUnavailable
from pigwav.executors import Executors
from pigwav.store.base import ObjectHeaders, Reachable, Reader, Writer

PROBE: Final = ObjectKey("pigwav-readiness-probe")
"""An object of one byte that stays in the bucket. Every process reads it; whichever finds none writes it."""

_BETWEEN_WRITES_S: Final = 60.0


class ReadyStore(Reader, Writer, Reachable, Protocol): ...


@dataclass
class StoreProbe:
    """Reads a byte back from the store. Writes at most once in `between_writes_s`, even if the probe never appears."""

    store: ReadyStore
    between_writes_s: float = _BETWEEN_WRITES_S
    _written_at: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def __call__(self) -> None:
        """Blocking. Raises StoreUnavailable."""
        self.store.check()
        with suppress(StorageFull):  # the store answers; uploads get 507
            self._prove()

    def _prove(self) -> None:
        try:
            self._read()
        except ObjectMissing:
            self._write()
            self._read_back()

    def _write(self) -> None:
        with self._lock:
            recently = time.monotonic() - self.between_writes_s
            if self._written_at is None or self._written_at < recently:
                self.store.put(PROBE, b"1", ObjectHeaders(content_type="text/plain"))
                self._written_at = time.monotonic()

    def _read_back(self) -> None:
        try:
            self._read()
        except ObjectMissing as error:
            raise StoreUnavailable("An object was stored and cannot be read.") from error

    def _read(self) -> None:
        for _ in self.store.read_blocking(PROBE, 0, 1):
            pass


@dataclass(frozen=True)
class CheckReady:
    database: Database
    probe: StoreProbe
    executors: Executors
    open_uploads: OpenUploads

    async def __call__(self) -> None:
        """Raises ShuttingDown, Overloaded, DatabaseUnavailable (also for a schema of another release) or
        StoreUnavailable.
        """
        self.open_uploads.check_running()
        await self.executors.db(self._check_schema)
        await self.executors.store(self.probe)

    def _check_schema(self) -> None:
        with self.database.read() as db:
            found = revision.current(db.connection())
        needed = revision.needed()
        if found != needed:
            raise DatabaseUnavailable(
                f"The schema is at {found}, this release needs {needed}: run `pigwav migrate`."
            )
