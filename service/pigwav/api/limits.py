"""What this service accepts, so that a client can check a file before it sends it."""

from fastapi import APIRouter

from pigwav.api.deps import ServicesDep
from pigwav.api.routes import LIMITS
from pigwav.api.schemas import LimitsOut

router = APIRouter(tags=["recordings"])


@router.get(LIMITS)
async def show_limits(services: ServicesDep) -> LimitsOut:
    """The limits of uploads, and whether registration is open."""
    limits = services.settings.limits
    return LimitsOut(
        max_upload_bytes=limits.max_upload_bytes,
        max_duration_s=limits.max_duration_s,
        registration=services.settings.registration,
    )
