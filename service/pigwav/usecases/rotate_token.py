"""A user's token is replaced."""

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
        """The new token; the old one is invalid at once. Raises NotAuthenticated if the user was deleted."""
        return await self.db(self._rotate, user)

    def _rotate(self, user: UserId) -> UUID:
        token = uuid4()
        with self.database.begin() as db:
            if not users.replace_token(db, user, token_sha256(str(token))):
                raise NotAuthenticated
        return token
