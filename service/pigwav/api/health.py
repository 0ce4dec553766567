"""For machines that watch."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pigwav.api.deps import ServicesDep
from pigwav.api.openapi import problems
from pigwav.api.schemas import StatusOut
from pigwav.errors import DatabaseUnavailable, StoreUnavailable

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def alive() -> StatusOut:
    """The process answers."""
    return StatusOut(status="ok")


@router.get("/readyz", responses=problems(DatabaseUnavailable, StoreUnavailable))
async def ready(services: ServicesDep) -> StatusOut:
    """The database (with this release's schema) and the object store can be reached: a recording could be taken."""
    await services.check_ready()
    return StatusOut(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(services: ServicesDep) -> Response:
    """Prometheus' text format."""
    return Response(services.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
