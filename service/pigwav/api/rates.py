"""Rates per address and per user: who asks too often is told so (429), and everybody where they stand.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10. RateLimit's `t` is when one request more will be let
through than its `r` says, so that with `r=0` it is what Retry-After says.
"""

from collections.abc import Hashable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.allowances import Allowance, RateQuota, RateStanding, read_rates
from pigwav.api.problems import answer_for
from pigwav.domain import User
from pigwav.errors import RateLimited
from pigwav.settings import RateSettings
from pigwav.telemetry.metrics import Metrics

UNBOUNDED_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Machines that watch ask in any rate."""

_RATES: Final = "pigwav.rates"


class Policy(StrEnum):
    REQUESTS_PER_ADDRESS = "requests-per-address"
    REGISTRATIONS_PER_ADDRESS = "registrations-per-address"
    REQUESTS_PER_USER = "requests-per-user"
    UPLOADS_PER_USER = "uploads-per-user"


class RequestRates:
    """One request, and where its sender stands under the policies that it was asked for. All raise RateLimited."""

    def __init__(self, allowances: Mapping[Policy, Allowance], metrics: Metrics, address: Hashable) -> None:
        self._allowances = allowances
        self._metrics = metrics
        self._address = address
        self._standings: dict[Policy, RateStanding] = {}

    def request(self) -> None:
        """Whoever sends it: a wrong token counts for the address that tries it."""
        self._take(Policy.REQUESTS_PER_ADDRESS, self._address)

    def registration(self) -> None:
        self._take(Policy.REGISTRATIONS_PER_ADDRESS, self._address)

    def request_of(self, user: User) -> None:
        self._take(Policy.REQUESTS_PER_USER, user.id)

    def upload_of(self, user: User) -> None:
        self.request_of(user)
        self._take(Policy.UPLOADS_PER_USER, user.id)

    def fields(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit; none where nothing bounds this request."""
        quotas = [
            (_name(policy, quota, standing), quota)
            for policy, standing in self._standings.items()
            for quota in standing.quotas
        ]
        if not quotas:
            return {}
        policies = (f'"{name}";q={quota.limit};w={quota.window_s}' for name, quota in quotas)
        limits = (f'"{name}";r={quota.remaining};t={quota.more_in_s}' for name, quota in quotas)
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}

    def _take(self, policy: Policy, key: Hashable) -> None:
        allowance = self._allowances.get(policy)
        if allowance is None:
            return
        standing = self._standings[policy] = allowance.take(key)
        if standing.granted:
            return
        self._metrics.rate_limited.labels(policy).inc()
        quota = standing.used_up
        wait_s = max(1, quota.more_in_s)
        raise RateLimited(
            f"The rate of {policy} is {quota.limit} in {quota.window_s} s; try again in {wait_s} s.",
            retry_after_s=wait_s,
        )


class RateLimits:
    """Counts every request but those of machines that watch, refuses what is too much for its address, and tells of
    all rates in the answer. `scope` carries its RequestRates on to the routes.
    """

    def __init__(self, app: ASGIApp, settings: RateSettings, metrics: Metrics) -> None:
        self._app = app
        self._allowances = dict(_allowances(settings))
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rates = scope[_RATES] = RequestRates(self._allowances, self._metrics, address_of(scope))

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(rates.fields())
            await send(message)

        try:
            if _path(scope) not in UNBOUNDED_PATHS:
                rates.request()
        except RateLimited as error:
            await answer_for(error)(scope, receive, send_told)
        else:
            await self._app(scope, receive, send_told)


def rates_of(scope: Scope) -> RequestRates:
    """Of a request that came through RateLimits."""
    rates: RequestRates = scope[_RATES]
    return rates


def address_of(scope: Scope) -> bytes | str:
    """The client's IPv4 address, or the /64 of its IPv6 address: who has one has them all. As TrustedProxies left it;
    what is no address (a Unix socket, an odd proxy) is taken as it is written.
    """
    client = scope.get("client")
    text = str(client[0]) if client else ""
    try:
        address = ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed[:8]
    return address.packed


def _allowances(settings: RateSettings) -> Iterator[tuple[Policy, Allowance]]:
    """Of the policies that are on."""
    for policy, text in (
        (Policy.REQUESTS_PER_ADDRESS, settings.requests_per_address),
        (Policy.REGISTRATIONS_PER_ADDRESS, settings.registrations_per_address),
        (Policy.REQUESTS_PER_USER, settings.requests_per_user),
        (Policy.UPLOADS_PER_USER, settings.uploads_per_user),
    ):
        if rates := read_rates(text):
            yield policy, Allowance(rates)


def _name(policy: Policy, quota: RateQuota, standing: RateStanding) -> str:
    """Each rate of a policy that has several is a policy to those who read the fields."""
    return policy if len(standing.quotas) == 1 else f"{policy}-{quota.window_s}s"


def _path(scope: Scope) -> str:
    """Without the prefix that a proxy takes away."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
