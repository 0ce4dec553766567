"""Endpoints for monitoring."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pigwav.api import routes
from pigwav.api.deps import ServicesDep
from pigwav.api.openapi import problems
from pigwav.api.schemas import StatusOut
from pigwav.errors import DatabaseUnavailable, Overloaded, ShuttingDown, StoreUnavailable

router = APIRouter(tags=["operations"])


@router.get(routes.HEALTHZ)
async def alive() -> StatusOut:
    """Liveness: the process answers."""
    return StatusOut(status="ok")


@router.get(
    routes.READYZ, responses=problems(DatabaseUnavailable, StoreUnavailable, Overloaded, ShuttingDown)
)
async def ready(services: ServicesDep) -> StatusOut:
    """Readiness: the database (with this release's schema) can be reached, a byte can be read back from the object
    store, and this process is not stopping, so that it can accept an upload. If not, `code` says which of them is
    lacking; `detail` is told only at the address PIGWAV_OPERATOR_BIND.
    """
    await services.check_ready()
    return StatusOut(status="ready")


@router.get(
    routes.METRICS,
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(services: ServicesDep) -> Response:
    """Metrics in Prometheus' text format. If PIGWAV_OPERATOR_BIND is set, only that address answers them; any other
    address answers 404.
    """
    services.disk_space.measure()
    return Response(services.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
