"""A user leaves, with everything they own."""

from dataclasses import dataclass

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import UserId
from pigwav.errors import NotAuthenticated
from pigwav.executors import BoundedExecutor


@dataclass(frozen=True)
class DeleteUser:
    database: Database
    db: BoundedExecutor

    async def __call__(self, user: UserId) -> None:
        """Token and links are dead from now on; `sweep` removes the bytes; open uploads fail at their end."""
        await self.db(self._delete, user)

    def _delete(self, user: UserId) -> None:
        with self.database.begin() as db:
            if not users.lock(db, user, to_delete=True):
                raise NotAuthenticated
            users.remove(db, user)
