"""Rate limits per address and per user, in each process.

A rate is a token bucket: `60/minute` allows sixty requests at once, and then one a second. The arithmetic is
pyrate-limiter's; it is pure and needs no thread and no lock. Its own buckets are not used: their number is unlimited.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pyrate_limiter import MonotonicClock, Rate, TokenBucket

from pigwav.domain import User
from pigwav.errors import RateLimited
from pigwav.rates import read_rates
from pigwav.settings import RateSettings
from pigwav.telemetry.metrics import Metrics

MAX_KEYS: Final = 65_536
"""About 20 MB if all of them are addresses."""

_BUCKET: Final = TokenBucket()
_CLOCK: Final = MonotonicClock()


class Policy(StrEnum):
    REQUESTS_PER_ADDRESS = "requests-per-address"
    REGISTRATIONS_PER_ADDRESS = "registrations-per-address"
    REQUESTS_PER_USER = "requests-per-user"
    UPLOADS_PER_USER = "uploads-per-user"


@dataclass(frozen=True)
class RateQuota:
    """The requests that one rate still allows: `remaining` now, one more in `more_in_s` seconds (0: all are left)."""

    limit: int
    window_s: int
    remaining: int
    more_in_s: int


@dataclass(frozen=True)
class RateStanding:
    """The result of a check, and the requests that the policy's rates still allow. `granted`: the request may pass."""

    granted: bool
    quotas: tuple[RateQuota, ...]

    @property
    def most_used(self) -> RateQuota:
        """The exhausted rate with the longest wait."""
        return max((quota for quota in self.quotas if not quota.remaining), key=lambda quota: quota.more_in_s)


class RateLimiter:
    """Applies the same rates to each of many keys. Used on one thread.

    Stores the state of the `max_keys` most recently used keys; any other key starts with its full allowance.
    """

    def __init__(
        self,
        rates: Sequence[Rate],
        *,
        max_keys: int = MAX_KEYS,
        now_ms: Callable[[], int] = _CLOCK.now,
    ) -> None:
        self._rates = [*rates]
        self._max_keys = max_keys
        self._now_ms = now_ms
        self._states: OrderedDict[Hashable, tuple[float, ...]] = OrderedDict()

    def take(self, key: Hashable) -> RateStanding:
        """Takes one request from every rate of `key`, or, if one of them is exhausted, from none."""
        now_ms = self._now_ms()
        before = self._states.get(key) or _BUCKET.initial(self._rates)
        state, decision = _BUCKET.step(self._rates, before, now_ms, 1)
        self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > self._max_keys:
            self._states.popitem(last=False)
        return RateStanding(
            decision.allowed,
            tuple(_quota(rate, tat, now_ms) for rate, tat in zip(self._rates, state, strict=True)),
        )

    def __len__(self) -> int:
        """The number of keys with a stored state."""
        return len(self._states)


def _quota(rate: Rate, tat: float, now_ms: int) -> RateQuota:
    """`tat`: the theoretical arrival time, the only state of the algorithm."""
    remaining = rate.limit - _BUCKET.consumed([rate], (tat,), now_ms)
    one_more = _BUCKET.step([rate], (tat,), now_ms, remaining + 1)[1]
    return RateQuota(
        rate.limit, rate.interval // 1000, remaining, math.ceil((one_more.retry_after_ms or 0) / 1000)
    )


class RateLimits:
    """The policies that the settings enable, in one process."""

    def __init__(self, settings: RateSettings, metrics: Metrics) -> None:
        self._limiters = dict(_limiters(settings))
        self._metrics = metrics

    def of_request(self, address: Hashable) -> "RequestRates":
        """The policies for one request that came from `address`."""
        return RequestRates(self._limiters, self._metrics, address)


class RequestRates:
    """Checks one request, and stores the results by policy in `standings`.

    Every check takes one request from the policy's rates, and raises RateLimited if one of them is exhausted.
    """

    def __init__(self, limiters: Mapping[Policy, RateLimiter], metrics: Metrics, address: Hashable) -> None:
        self._limiters = limiters
        self._metrics = metrics
        self.address: Final = address
        self.standings: dict[Policy, RateStanding] = {}

    def request(self) -> None:
        """Checks the address, before authentication: a request with a wrong token counts for its address."""
        self._take(Policy.REQUESTS_PER_ADDRESS, self.address)

    def registration(self) -> None:
        self._take(Policy.REGISTRATIONS_PER_ADDRESS, self.address)

    def request_of(self, user: User) -> None:
        self._take(Policy.REQUESTS_PER_USER, user.id)

    def upload_of(self, user: User) -> None:
        self.request_of(user)
        self._take(Policy.UPLOADS_PER_USER, user.id)

    def _take(self, policy: Policy, key: Hashable) -> None:
        limiter = self._limiters.get(policy)
        if limiter is None:
            return
        standing = self.standings[policy] = limiter.take(key)
        if standing.granted:
            return
        self._metrics.rate_limited.labels(policy).inc()
        quota = standing.most_used
        wait_s = max(1, quota.more_in_s)
        raise RateLimited(
            f"The rate of {policy} is {quota.limit} in {quota.window_s} s; try again in {wait_s} s.",
            retry_after_s=wait_s,
        )


def _limiters(settings: RateSettings) -> Iterator[tuple[Policy, RateLimiter]]:
    for policy, text in (
        (Policy.REQUESTS_PER_ADDRESS, settings.requests_per_address),
        (Policy.REGISTRATIONS_PER_ADDRESS, settings.registrations_per_address),
        (Policy.REQUESTS_PER_USER, settings.requests_per_user),
        (Policy.UPLOADS_PER_USER, settings.uploads_per_user),
    ):
        if rates := read_rates(text):
            yield policy, RateLimiter(rates)
