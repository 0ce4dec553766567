"""A database that fails at a chosen transaction."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy.orm import Session

from pigwav.db.session import Database
from pigwav.errors import DatabaseUnavailable


class FaultyDatabase:
    """`inner` with a fault: transaction `fails_at` raises. With `answer_lost`, it takes effect before it raises."""

    def __init__(self, inner: Database, *, fails_at: int, answer_lost: bool) -> None:
        self._inner = inner
        self._to_go = fails_at
        self._answer_lost = answer_lost

    @contextmanager
    def begin(self, *, one_statement: bool = False) -> Iterator[Session]:
        self._to_go -= 1
        if self._to_go == 0 and not self._answer_lost:
            raise DatabaseUnavailable
        with self._inner.begin(one_statement=one_statement) as db:
            yield db
        if self._to_go == 0:
            raise DatabaseUnavailable

    @property
    def has_failed(self) -> bool:
        return self._to_go <= 0

    def read(self) -> AbstractContextManager[Session]:
        return self._inner.read()
