"""/livez and /readyz: the probes of an orchestrator."""

from fastapi import APIRouter

from app.api_route import ApiRoute
from app.dependencies import CurrentVersionDep
from app.errors import UnavailableError
from app.openapi import problems
from app.schemas import Live, Ready

router = APIRouter(route_class=ApiRoute, tags=["health"])


@router.get("/livez")
async def live() -> Live:
    """Answer 200: the process is alive."""
    return Live()


@router.get("/readyz", responses=problems(UnavailableError, instance="/readyz"))
async def ready(current_version: CurrentVersionDep) -> Ready:
    """Answer 200 when a version is loaded and self-checked, 503 and why otherwise."""
    return Ready(version=current_version.predictor.version, refused=current_version.refused)
