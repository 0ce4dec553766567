"""FastAPI dependencies and helpers of the routes: the services, the caller, the link."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pigwav.api.rate_limits import rates_of
from pigwav.api.routes import LINK
from pigwav.capacity.rate_limits import RequestRates
from pigwav.domain import Recording, User
from pigwav.wiring import Services

_bearer = HTTPBearer(auto_error=False, description="The access token that registration returned.")


async def services_of(request: Request) -> Services:
    """Async, like all dependencies here: FastAPI runs synchronous ones on its own threads."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
BearerDep = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def bearer_token(bearer: BearerDep) -> str | None:
    """None if the request has no Bearer token."""
    return bearer.credentials if bearer else None


TokenDep = Annotated[str | None, Depends(bearer_token)]


async def request_rates(request: Request) -> RequestRates:
    return rates_of(request.scope)


RatesDep = Annotated[RequestRates, Depends(request_rates)]


async def current_user(services: ServicesDep, rates: RatesDep, token: TokenDep) -> User:
    """The caller. Raises NotAuthenticated, RateLimited."""
    user = await services.authenticate(token or "")
    rates.request_of(user)
    return user


CallerDep = Annotated[User, Depends(current_user)]


def link(request: Request, recording: Recording) -> str:
    """The recording's link, under the public address."""
    query = urlencode({"id": str(recording.id), "user": recording.user_id})
    return f"{public_address(request)}{LINK}?{query}"


def public_address(request: Request) -> str:
    """PIGWAV_PUBLIC_URL, else API_HOSTNAME and API_PORT, else the address to which this request was sent."""
    services: Services = request.app.state.services
    http, address = services.settings.http, services.settings.address
    if http.public_url:
        return http.public_url.rstrip("/")
    if address.hostname:
        port = f":{address.port}" if address.port else ""
        return f"http://{address.hostname}{port}{http.root_path}"
    return str(request.base_url).rstrip("/")
