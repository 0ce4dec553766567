"""A database with one commit that is still under way when its caller gets an error."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from pigwav.db.session import Database
from pigwav.errors import DatabaseUnavailable

_AWAITED_WITHIN_S = 30.0
_WAITERS = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")


class LateCommit:
    """`inner`, whose transaction `at` raises DatabaseUnavailable while it is open and holds its locks."""

    def __init__(self, inner: Database, *, at: int) -> None:
        self._inner = inner
        self._to_go = at
        self._under_way = ExitStack()

    @contextmanager
    def begin(self, *, one_statement: bool = False) -> Iterator[Session]:
        self._to_go -= 1
        if self._to_go:
            with self._inner.begin(one_statement=one_statement) as db:
                yield db
            return
        db = self._under_way.enter_context(self._inner.begin())
        yield db
        db.flush()
        raise DatabaseUnavailable

    def read(self) -> AbstractContextManager[Session]:
        return self._inner.read()

    def commit(self) -> None:
        self._under_way.close()

    @contextmanager
    def committed_when_awaited(self) -> Iterator[None]:
        """Commits as soon as another transaction waits for a lock."""
        done = threading.Event()

        def watch() -> None:
            deadline = time.monotonic() + _AWAITED_WITHIN_S
            while not done.wait(0.01) and time.monotonic() < deadline:
                with self._inner.read() as db:
                    if db.execute(_WAITERS).scalar_one():
                        break
            self.commit()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
