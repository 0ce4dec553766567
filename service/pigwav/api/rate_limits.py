"""Rate limits over HTTP: a client that exceeds a rate gets 429, and answers state how many requests are left.

The header fields are those of draft-ietf-httpapi-ratelimit-headers-10. In RateLimit, `t` is the number of seconds
until one request more than `r` is allowed. If `r=0`, it is what Retry-After says.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pigwav.api import routes
from pigwav.api.client_address import address_of
from pigwav.api.problems import answer_for
from pigwav.capacity.rate_limits import RateLimits, RequestRates
from pigwav.errors import RateLimited

_RATES: Final = "pigwav.rates"


class EnforceRateLimits:
    """Counts every request except those that `routes.is_unlimited` names, answers 429 if the address exceeds a rate,
    and adds the fields of all rates that apply to the answer. Routes find the request's RequestRates in `scope`.
    """

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rates = scope[_RATES] = self._limits.of_request(address_of(scope.get("client")))

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start" and rates.standings:
                MutableHeaders(scope=message).update(rate_fields(rates))
            await send(message)

        try:
            if not routes.is_unlimited(routes.path_of(scope)):
                rates.request()
        except RateLimited as error:
            await answer_for(error)(scope, receive, send_with_fields)
        else:
            await self._app(scope, receive, send_with_fields)


def rates_of(scope: Scope) -> RequestRates:
    """The rates of a request that has passed EnforceRateLimits."""
    rates: RequestRates = scope[_RATES]
    return rates


def rate_fields(rates: RequestRates) -> dict[str, str]:
    """The fields RateLimit-Policy and RateLimit; empty if no rate applies to this request. If a policy has several
    rates, the fields list each of them as a policy of its own.
    """
    quotas = [
        (policy if len(standing.quotas) == 1 else f"{policy}-{quota.window_s}s", quota)
        for policy, standing in rates.standings.items()
        for quota in standing.quotas
    ]
    if not quotas:
        return {}
    policies = (f'"{name}";q={quota.limit};w={quota.window_s}' for name, quota in quotas)
    limits = (f'"{name}";r={quota.remaining};t={quota.more_in_s}' for name, quota in quotas)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}
