"""FastAPI dependencies and helpers of the routes: the services, the caller, a recording with its links."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pigwav.api.rate_limits import rates_of
from pigwav.api.routes import CARD, LINK, LINK_MP3, LISTEN
from pigwav.api.schemas import RecordingOut
from pigwav.capacity.rate_limits import RequestRates
from pigwav.domain import Recording, User
from pigwav.settings import Page
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


def described(request: Request, recording: Recording, *, peaks: str | None = None) -> RecordingOut:
    """The recording as answers describe it. `peaks`: base64."""
    services: Services = request.app.state.services
    page_url = listening_page(request, recording) if services.settings.page is Page.ON else None
    return RecordingOut.of(recording, link(request, recording), page_url=page_url, peaks=peaks)


def link(request: Request, recording: Recording) -> str:
    """The recording's link, under the public address."""
    return f"{public_address(request)}{LINK}?{_query_of(recording)}"


def mp3_path(recording: Recording) -> str:
    """The path and query of the link with the extension `.mp3`."""
    return f"{LINK_MP3.format(recording_id=recording.id)}?user={recording.user_id}"


def listening_page(request: Request, recording: Recording) -> str:
    """The recording's page for people, under the public address."""
    return f"{public_address(request)}{LISTEN}?{_query_of(recording)}"


def card_address(request: Request, recording: Recording) -> str:
    """The picture that messengers show for the page, under the public address."""
    return f"{public_address(request)}{CARD}?{_query_of(recording)}"


def _query_of(recording: Recording) -> str:
    return urlencode({"id": str(recording.id), "user": recording.user_id})


def public_address(request: Request) -> str:
    """PIGWAV_PUBLIC_URL, else API_HOSTNAME and API_PORT, else the address to which this request was sent."""
    services: Services = request.app.state.services
    http, address = services.settings.http, services.settings.address
    if http.public_url:
        return http.public_url
    if address.hostname:
        port = f":{address.port}" if address.port else ""
        return f"http://{address.hostname}{port}{http.root_path}"
    return str(request.base_url).rstrip("/")
