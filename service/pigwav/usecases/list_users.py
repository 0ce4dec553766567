"""Lists all users, for the operator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pigwav.db import users
from pigwav.db.session import Database
from pigwav.domain import UserId, UserSummary

PAGE_ROWS: Final = 500


@dataclass(frozen=True)
class ListUsers:
    """Blocking. One page is in memory however many users there are, and no connection is held between two pages."""

    database: Database
    page_rows: int = PAGE_ROWS

    def __call__(self) -> Iterator[UserSummary]:
        """Yields all users, in the order in which they registered. Raises DatabaseUnavailable."""
        after = UserId(0)
        while True:
            with self.database.read() as db:
                page = users.summaries(db, after=after, limit=self.page_rows)
            if not page:
                return
            yield from page
            after = page[-1].user.id
