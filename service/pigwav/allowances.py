"""How often somebody may do something: the notation of rates, and who has how much of one left.

A rate is a token bucket: `60/minute` is sixty at once, and then one a second. The arithmetic is pyrate-limiter's; it is
pure, so that no thread and no lock is needed. Its own buckets are not used: nothing bounds how many of them there are.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from pyrate_limiter import Duration, MonotonicClock, Rate, TokenBucket, validate_rate_list

MOST_KEYS: Final = 65_536
"""Some 20 MB where all of them are addresses."""

_RATE: Final = re.compile(
    r"([1-9][0-9]{0,8}) */ *(?:([1-9][0-9]{0,3}) *)?(second|minute|hour|day)s?", re.ASCII | re.IGNORECASE
)
_BUCKET: Final = TokenBucket()
_CLOCK: Final = MonotonicClock()


def read_rates(text: str) -> list[Rate]:
    """The rates of `10/second;300/minute` or `5/10 minutes`, the shortest window first; none of an empty text.

    Raises ValueError, which says what is wrong.
    """
    parts = [part.strip() for part in re.split("[;,]", text)] if text.strip() else []
    rates = sorted(map(_rate, parts), key=lambda rate: rate.interval)
    if rates and not validate_rate_list(rates):
        raise ValueError(f"{text!r}: a longer window must allow more in all, and not more per second")
    return rates


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no rate such as 60/minute or 10/second;300/minute")
    return Rate(int(found[1]), int(found[2] or 1) * Duration[found[3].upper()])


@dataclass(frozen=True)
class RateQuota:
    """Where somebody stands with one rate: `remaining` now, in `more_in_s` seconds one more (0: all are there)."""

    limit: int
    window_s: int
    remaining: int
    more_in_s: int


@dataclass(frozen=True)
class RateStanding:
    """Where somebody stands with all rates of an allowance, after asking."""

    granted: bool
    quotas: tuple[RateQuota, ...]

    @property
    def used_up(self) -> RateQuota:
        """Of a refusal: the rate that has to be waited for longest."""
        return max((quota for quota in self.quotas if not quota.remaining), key=lambda quota: quota.more_in_s)


class Allowance:
    """The same rates for each of many. Used on one thread.

    `most_keys` are remembered, those that asked last; whoever is forgotten begins afresh.
    """

    def __init__(
        self,
        rates: Sequence[Rate],
        *,
        most_keys: int = MOST_KEYS,
        now_ms: Callable[[], int] = _CLOCK.now,
    ) -> None:
        self._rates = [*rates]
        self._most_keys = most_keys
        self._now_ms = now_ms
        self._states: OrderedDict[Hashable, tuple[float, ...]] = OrderedDict()

    def take(self, key: Hashable) -> RateStanding:
        """One of what `key` has left, under every rate or, where one of them is used up, under none."""
        now_ms = self._now_ms()
        before = self._states.get(key) or _BUCKET.initial(self._rates)
        state, decision = _BUCKET.step(self._rates, before, now_ms, 1)
        self._remember(key, state)
        return RateStanding(
            decision.allowed,
            tuple(_quota(rate, tat, now_ms) for rate, tat in zip(self._rates, state, strict=True)),
        )

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._states)

    def _remember(self, key: Hashable, state: tuple[float, ...]) -> None:
        self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > self._most_keys:
            self._states.popitem(last=False)


def _quota(rate: Rate, tat: float, now_ms: int) -> RateQuota:
    """`tat`: the theoretical arrival time, which is all that the algorithm remembers."""
    remaining = rate.limit - _BUCKET.consumed([rate], (tat,), now_ms)
    one_more = _BUCKET.step([rate], (tat,), now_ms, remaining + 1)[1]
    return RateQuota(
        rate.limit, rate.interval // 1000, remaining, math.ceil((one_more.retry_after_ms or 0) / 1000)
    )
