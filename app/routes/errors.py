"""GET /errors: the newest errors that the server answered, under the request ids of its log."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends

from app.api_route import ApiRoute
from app.dependencies import MetricsDep
from app.errors import AuthorizationError, OriginError
from app.openapi import problems
from app.schemas import RecentError, RecentErrors
from app.security import require_key

router = APIRouter(route_class=ApiRoute, tags=["metrics"])


@router.get(
    "/errors",
    dependencies=[Depends(require_key)],
    responses=problems(AuthorizationError, OriginError, instance="/errors"),
)
async def list_recent_errors(metrics: MetricsDep) -> RecentErrors:
    """List the newest errors that the processes of this server answered, newest first, up to 31 of each process.

    They are kept in memory until the server stops, without anything that the client sent, except its X-Request-ID.
    """
    return RecentErrors(
        items=[
            RecentError(**{**error._asdict(), "at": datetime.fromtimestamp(error.at, UTC)})
            for error in metrics.recent_errors()
        ]
    )
