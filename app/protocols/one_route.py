"""The contracts of one route: those of SageMaker and of MLflow's scoring server."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from app.api_route import ApiRoute
from app.dependencies import ReadyVersionDep, SettingsDep
from app.errors import UnavailableError
from app.openapi import problems
from app.schemas import Ready
from app.serving.readiness import readiness
from inkling import __version__

router = APIRouter(route_class=ApiRoute, tags=["health"])


@router.get("/ping", responses=problems(UnavailableError, instance="/ping"))
async def ping(current_version: ReadyVersionDep, settings: SettingsDep) -> Ready:
    """Answer as /readyz does, where SageMaker and MLflow ask: 200 when a version is loaded, 503 otherwise.

    Raises:
        UnavailableError: no version can be served, or the server stops.
    """
    return readiness(current_version, settings)


@router.get(
    "/version",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": __version__}}, "description": "The release"}},
)
async def get_release() -> Response:
    """Answer the release of Inkling as text, where MLflow's client asks for it."""
    return PlainTextResponse(__version__)
