"""Replaces a user's token."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import UserId
from pigwav.errors import NotAuthenticated
from pigwav.executors import BoundedExecutor
from pigwav.usecases.authenticate import token_sha256


@dataclass(frozen=True)
class RotateToken:
    database: Database
    db: BoundedExecutor

    async def __call__(self, user: UserId) -> UUID:
        """The new token. The old one stops working at once. Raises NotAuthenticated if there is no such user."""
        return await self.db(self._rotate, user)

    def _rotate(self, user: UserId) -> UUID:
        token = uuid4()
        with self.database.begin() as db:
            if not users.replace_token(db, user, token_sha256(str(token))):
                raise NotAuthenticated
        return token
