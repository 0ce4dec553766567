"""Finds the user that sends a request."""

from collections.abc import Collection, Set
from dataclasses import dataclass
from hashlib import sha256

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import User
from pigwav.errors import NotAuthenticated
from pigwav.executors import BoundedExecutor


def token_sha256(token: str) -> bytes:
    """The hash that is stored and compared instead of the token. A token has 122 random bits, so a plain hash is
    enough: the duration of the index look-up may reveal how many bytes of two hashes agree, but this says nothing
    about the token (service/docs/security.md).
    """
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Authenticate:
    database: Database
    db: BoundedExecutor

    async def __call__(self, *tokens: str, user_ids: Collection[str] = ()) -> User:
        """The user to whom all `tokens` and all `user_ids` belong.

        Raises NotAuthenticated. Missing, malformed, unknown, other users' and differing tokens all take the same
        path and the same time: one look-up of a hash. The error's detail depends only on what the request contains.
        """
        given = {token.strip().lower() for token in tokens}
        token = next(iter(given)) if len(given) == 1 else ""
        user = await self.db(self._find, token_sha256(token))
        if user is None or any(user_id.strip() != str(user.id) for user_id in user_ids):
            raise NotAuthenticated(_missing(given, user_ids))
        return user

    def _find(self, digest: bytes) -> User | None:
        with self.database.read() as db:
            return users.by_token(db, digest)


def _missing(tokens: Set[str], user_ids: Collection[str]) -> str | None:
    """What the request lacks, in a sentence. None if it lacks nothing: then user and token do not match."""
    if not any(tokens):
        return (
            "The request has no access token. Send the header `Authorization: Bearer TOKEN`; "
            "an upload form may have the fields user_id and token instead."
        )
    if len(tokens) > 1:
        return "The request has two tokens that differ. Send one, or the same one twice."
    if not all(user_id.strip() for user_id in user_ids):
        return "The request has a token, but its user id is missing or empty."
    return None
