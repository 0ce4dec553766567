"""Deletes a user and all their recordings."""

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
        """Token and links stop working at once. `sweep` removes the bytes. Open uploads fail at their end.

        Raises NotAuthenticated if there is no such user.
        """
        await self.db(self._delete, user)

    def _delete(self, user: UserId) -> None:
        with self.database.begin() as db:
            if not users.lock(db, user, to_delete=True):
                raise NotAuthenticated
            users.remove(db, user)
