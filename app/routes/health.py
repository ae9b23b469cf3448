"""/livez and /readyz: the probes of an orchestrator."""

from fastapi import APIRouter

from app.api_route import ApiRoute
from app.dependencies import ReadyVersionDep
from app.errors import UnavailableError
from app.openapi import problems
from app.schemas import Live, Ready

router = APIRouter(route_class=ApiRoute, tags=["health"])


@router.get("/livez")
async def live() -> Live:
    """Answer 200: the process is alive."""
    return Live()


@router.get("/readyz", responses=problems(UnavailableError, instance="/readyz"))
async def ready(current_version: ReadyVersionDep) -> Ready:
    """Answer 200 when a version is loaded and self-checked, 503 and why otherwise; 503 from the moment of a stop.

    Raises:
        UnavailableError: no version can be served, or the server stops.
    """
    return Ready(version=current_version.predictor.version, refused=current_version.refused)
