"""The picture that messengers show for a recording's page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pigwav.api import page_query
from pigwav.api.deps import ServicesDep
from pigwav.api.representations import representation
from pigwav.api.routes import CARD
from pigwav.api.security_headers import CARD_HEADERS

router = APIRouter()


@router.api_route(CARD, methods=["GET", "HEAD"])
async def card(
    request: Request,
    services: ServicesDep,
    recording_id: Annotated[str, Query(alias="id")] = "",
    user: str = "",
) -> Response:
    recording, png = await services.read_card(page_query.recording_id(recording_id), page_query.user_id(user))
    return representation(request, recording, png, "image/png", CARD_HEADERS)
