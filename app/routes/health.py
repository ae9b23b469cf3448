"""/livez and /readyz: for whatever watches the process."""

from fastapi import APIRouter

from app.dependencies import Injected
from app.errors import UnavailableError
from app.openapi import problems
from app.schemas import Live, Ready

router = APIRouter(tags=["health"])


@router.get("/livez")
async def live() -> Live:
    """Answer: the process lives."""
    return Live()


@router.get("/readyz", responses=problems(UnavailableError, instance="/readyz"))
async def ready(services: Injected) -> Ready:
    """Answer 200 when a version is loaded and self-checked, 503 and why otherwise."""
    return Ready(version=services.serving.classifier.version, refused=services.serving.refused)
