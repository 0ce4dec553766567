"""Counts and names every step at which an upload, a deletion or a sweep uses the database or the store.

Steps are: before and after a call to the store; before a transaction, before its commit, and after it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Final

from sqlalchemy.orm import Session

from fakes.faulty_store import FaultyStore
from pigwav.db.session import Database
from pigwav.settings import DatabaseSettings
from pigwav.store.base import ObjectStore
from pigwav.usecases.check_role import CheckRole
from pigwav.usecases.keep_leases import KeepLeases
from pigwav.usecases.single_runner import SingleRunner

_BOTH_SIDES: Final = (
    "put",
    "begin_multipart",
    "put_part",
    "complete_multipart",
    "abort_multipart",
    "open_uploads",
    "delete",
    "stat",
)
_BY_THE_CLOCK: Final = frozenset(
    {
        CheckRole.__call__.__qualname__,
        KeepLeases._renew.__qualname__,  # noqa: SLF001 - fails if it is renamed
        SingleRunner._renew.__qualname__,  # noqa: SLF001
    }
)
"""Background transactions. Not counted, because their position among the steps of an upload is random."""


class Steps:
    """Counts steps since the last `arm`, and runs an action at one of them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: list[str] = []
        self._at = 0
        self._action: Callable[[str], None] = _go_on

    @property
    def names(self) -> list[str]:
        """The steps since the last `arm`, in order."""
        with self._lock:
            return list(self._names)

    def arm(self, at: int = 0, action: Callable[[str], None] | None = None) -> None:
        """Starts counting at 1 again. Step `at` calls `action` with its name."""
        with self._lock:
            self._names.clear()
            self._at, self._action = at, action or _go_on

    def take(self, name: str) -> None:
        with self._lock:
            self._names.append(name)
            is_it = len(self._names) == self._at
        if is_it:
            self._action(name)


def stepped_store(inner: ObjectStore, steps: Steps) -> FaultyStore:
    return FaultyStore(
        inner,
        before={name: partial(steps.take, f"before {name}") for name in (*_BOTH_SIDES, "read")},
        after={name: partial(steps.take, f"after {name}") for name in _BOTH_SIDES},
    )


class SteppedDatabase(Database):
    """Names a transaction after the function that opens it."""

    steps: Steps

    @classmethod
    def over(cls, settings: DatabaseSettings, steps: Steps) -> "SteppedDatabase":
        database = cls.open(settings)
        database.steps = steps
        return database

    @contextmanager
    def begin(self, *, one_statement: bool = False) -> Iterator[Session]:
        name = _caller()
        if name in _BY_THE_CLOCK:
            with super().begin() as db:
                yield db
            return
        self.steps.take(f"before {name}")
        with super().begin(one_statement=one_statement) as db:
            yield db
            if not one_statement:
                self.steps.take(f"before the commit of {name}")
        self.steps.take(f"after {name}")

    @contextmanager
    def read(self) -> Iterator[Session]:
        name = _caller()
        self.steps.take(f"before {name}")
        with super().read() as db:
            yield db
        self.steps.take(f"after {name}")


def _caller() -> str:
    """The function with `with database.begin()`: three frames up, past the generator and contextlib."""
    return sys._getframe(3).f_code.co_qualname  # noqa: SLF001 - documented


def _go_on(_name: str) -> None: ...
