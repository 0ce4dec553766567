"""Who is asking?"""

from dataclasses import dataclass
from hashlib import sha256

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import User
from pigwav.errors import NotAuthenticated
from pigwav.lanes import Lane


def token_sha256(token: str) -> bytes:
    """What is kept of a token, and compared. A token holds 122 random bits, so a plain hash is enough: how far the
    index's comparison of two hashes got, which time might tell, says nothing of the token (service/docs/security.md).
    """
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Authenticate:
    database: Database
    db: Lane

    async def __call__(self, token: str, *, claimed_user: str | None = None) -> User:
        """The token's user. Raises NotAuthenticated, also where the token belongs to another than `claimed_user`.

        A missing, malformed, unknown or foreign token takes the same path and the same time: one look-up of a hash.
        """
        user = await self.db(self._find, token_sha256(token.strip().lower()))
        if user is None or (claimed_user is not None and claimed_user.strip() != str(user.id)):
            raise NotAuthenticated
        return user

    def _find(self, digest: bytes) -> User | None:
        with self.database.read() as db:
            return users.by_token(db, digest)
