"""What the routes need, made once by `create_app` and passed by FastAPI."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Query, Request

from app.bodies.images import UploadLimits
from app.observability.metrics import Metrics
from app.serving.current_version import Serving
from app.serving.trainer_process import Trainer
from app.settings import Settings
from inkling.registry.registry import Registry


@dataclass(frozen=True)
class Services:
    settings: Settings
    api_key: str | None
    limits: UploadLimits
    registry: Registry
    serving: Serving
    trainer: Trainer
    metrics: Metrics
    normalizing: CapacityLimiter
    """Lets as many threads normalize pictures at once as there are processors: a photo takes some 300 MB."""
    stopping: asyncio.Event
    """Set when the process was asked to stop: what would never end by itself must end."""


async def of(request: Request) -> Services:  # async, or FastAPI would ask a thread: 100 us a request
    services: Services = request.app.state.services
    return services


Injected = Annotated[Services, Depends(of)]
Limit = Annotated[int, Query(ge=1, le=100, description="most items in the answer")]
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="only items older than this one")]
