"""Checks whether this process can accept an upload now."""

from dataclasses import dataclass

from pigwav.capacity.open_uploads import OpenUploads
from pigwav.db import revision
from pigwav.db.session import Database
from pigwav.errors import DatabaseUnavailable
from pigwav.executors import Executors
from pigwav.store.base import Reachable


@dataclass(frozen=True)
class CheckReady:
    database: Database
    store: Reachable
    executors: Executors
    open_uploads: OpenUploads

    async def __call__(self) -> None:
        """Raises ShuttingDown, Overloaded, DatabaseUnavailable (also for a schema of another release) or
        StoreUnavailable.
        """
        self.open_uploads.check_running()
        await self.executors.db(self._check_schema)
        await self.executors.store(self.store.check)

    def _check_schema(self) -> None:
        with self.database.read() as db:
            found = revision.current(db.connection())
        needed = revision.needed()
        if found != needed:
            raise DatabaseUnavailable(
                f"The schema is at {found}, this release needs {needed}: run `pigwav migrate`."
            )
