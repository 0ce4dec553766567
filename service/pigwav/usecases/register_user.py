"""Creates a user with an access token."""

import re
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import RegisteredUser, User, plain_name
from pigwav.errors import InvalidField, NameTaken
from pigwav.executors import BoundedExecutor
from pigwav.usecases.authenticate import token_sha256

MAX_NAME_CHARS: Final = 200


@dataclass(frozen=True)
class RegisterUser:
    database: Database
    db: BoundedExecutor

    async def __call__(self, name: str) -> RegisteredUser:
        """The new user with the token, which is never returned again. Raises InvalidField, NameTaken."""
        if found := re.search(r"[\x00-\x1f\x7f-\x9f]", name.strip(" \t\r\n")):
            raise InvalidField(f"A name has no control characters; this one has U+{ord(found[0]):04X}.")
        plain = plain_name(name)
        if not 0 < len(plain) <= MAX_NAME_CHARS:
            raise InvalidField(
                f"A name has 1 to {MAX_NAME_CHARS} characters; after trimming, this one has {len(plain)}."
            )
        return await self.db(self._register, plain)

    def _register(self, name: str) -> RegisteredUser:
        token = uuid4()
        with self.database.begin() as db:
            user_id = users.add(db, name, token_sha256(str(token)))
        if user_id is None:
            raise NameTaken
        return RegisteredUser(User(user_id, name), token)
