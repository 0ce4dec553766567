"""Checks that stored bytes are still those that were acknowledged: reads recordings back, least recently read first.

It may be stopped at any time; the next run continues from there.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

from pigwav.db import scrubbing
from pigwav.db.scrubbing import ExpectedObject
from pigwav.db.session import Database
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.store.base import Reachable, Reader
from pigwav.store.read_back import sha256_of

Clock = Callable[[], float]


class Condition(StrEnum):
    """The condition of a recording.

    - damaged: other bytes, another size, or no object.
    - unreadable: the store answers, but does not return the object.
    - gone: the recording was deleted meanwhile.
    """

    GOOD = "good"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    GONE = "gone"


@dataclass(frozen=True)
class ReadBack:
    """The result of reading one recording back."""

    key: ObjectKey
    size_bytes: int
    condition: Condition


class Pace:
    """Limits reading to `bytes_per_s` on average. After a pause, at most one second's worth needs no wait. It does not
    wait itself: it returns how long to wait.

    pyrate-limiter cannot do this: it counts whole microseconds per byte, so 50 MB/s become 1 MB/s, and it never
    grants a block that is larger than one second's bytes.
    """

    def __init__(self, bytes_per_s: float, clock: Clock) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._earned_at = clock()

    def take(self, size_bytes: int) -> float:
        """Seconds to wait from now because of these bytes."""
        now = self._clock()
        self._earned_at = max(self._earned_at, now - 1) + size_bytes / self._bytes_per_s
        return max(0.0, self._earned_at - now)


class ScrubbedStore(Reader, Reachable, Protocol): ...


@dataclass(frozen=True)
class Scrub:
    """Blocking: run it in a process of its own, while the service runs. Changes nothing but `scrubbed_at`."""

    database: Database
    store: ScrubbedStore
    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, *, bytes_per_s: float | None = None, for_s: float | None = None) -> Iterator[ReadBack]:
        """Reads each ready recording once, or as many as begin within `for_s` seconds. Raises Unavailable."""
        ends_at = None if for_s is None else self.clock() + for_s
        pace = None if bytes_per_s is None else Pace(bytes_per_s, self.clock)
        with self.database.read() as db:
            began_at = scrubbing.now(db)
        last = None
        while ends_at is None or self.clock() < ends_at:
            with self.database.read() as db:
                last = scrubbing.next_expected(db, before=began_at, after=last)
            if last is None:
                return
            yield ReadBack(last.object_key, last.size_bytes, self._condition(last, pace))

    def _condition(self, expected: ExpectedObject, pace: Pace | None) -> Condition:
        """If the object looks wrong, reads it again, and then checks that the row is still ready."""
        look = partial(self._look, expected, pace)
        if look() is Condition.GOOD or (condition := look()) is Condition.GOOD:
            with self.database.begin() as db:
                scrubbing.mark_scrubbed(db, expected.id)
            return Condition.GOOD
        with self.database.read() as db:
            return condition if scrubbing.is_ready(db, expected.id) else Condition.GONE

    def _look(self, expected: ExpectedObject, pace: Pace | None) -> Condition:
        def wait(block: bytes) -> None:
            if pace and (wait_s := pace.take(len(block))):
                self.sleep(wait_s)

        key, size_bytes = expected.object_key, expected.size_bytes
        try:
            stored = self.store.stat(key)
            if stored is None or stored.size_bytes != size_bytes:
                return Condition.DAMAGED
            is_same = sha256_of(self.store, key, size_bytes, wait) == expected.sha256
        except ObjectMissing:
            return Condition.DAMAGED
        except StoreUnavailable:
            self.store.check()  # raises if the store itself does not answer
            return Condition.UNREADABLE
        return Condition.GOOD if is_same else Condition.DAMAGED
