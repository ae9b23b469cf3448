"""/livez and /readyz: the probes of an orchestrator."""

from fastapi import APIRouter

from app.api_route import ApiRoute
from app.dependencies import ReadyVersionDep, SettingsDep
from app.errors import UnavailableError
from app.openapi import problems
from app.schemas import Live, Ready
from app.serving.readiness import readiness

router = APIRouter(route_class=ApiRoute, tags=["health"])


@router.get("/livez")
async def live() -> Live:
    """Answer 200: the process is alive."""
    return Live()


@router.get("/readyz", responses=problems(UnavailableError, instance="/readyz"))
async def ready(current_version: ReadyVersionDep, settings: SettingsDep) -> Ready:
    """Answer 200 when a version is loaded and self-checked, 503 and why otherwise; 503 from the moment of a stop.

    A registry that does not answer leaves it 200, with a warning in `stale`, unless INKLING_UNREADY_IF_STALE is set.

    Raises:
        UnavailableError: no version can be served, or the server stops.
    """
    return readiness(current_version, settings)
