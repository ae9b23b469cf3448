"""GET /train/{id}/events: a run's progress as server-sent events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.dependencies import RegistryDep, RunId, StoppingDep
from app.errors import FieldError
from app.openapi import problems
from app.schemas import RunProgress, RunSummary
from inkling.errors import UnknownRunError
from inkling.registry.records import MAX_ID

router = APIRouter(tags=["train"])

POLL_S = 0.3


def require_run(run_id: RunId, registry: RegistryDep) -> None:
    """Answer 404 before the stream begins.

    Raises:
        UnknownRunError: there is no such run.
    """
    registry.runs.get(run_id)


@router.get(
    "/train/{run_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(require_run)],
    responses=problems(UnknownRunError, FieldError, instance="/train/7/events"),
)
async def watch_run(
    run_id: RunId,
    registry: RegistryDep,
    stopping: StoppingDep,
    last_event_id: Annotated[
        int, Header(ge=0, le=MAX_ID, description="the last step received: only later ones are sent")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Send a `progress` event for each recorded step, with the step as its id, then one `end` event with the run.

    When the server stops, the stream ends without `end`: connect again with Last-Event-ID, as browsers do.
    """
    step = last_event_id
    while not stopping.is_set():
        run = await asyncio.to_thread(registry.runs.get, run_id)  # first: its last progress was there before its end
        for progress in await asyncio.to_thread(registry.runs.progress, run_id, after=step):
            step = progress.step
            yield ServerSentEvent(event="progress", id=str(step), data=RunProgress.model_validate(progress))
        if run.state not in ("queued", "running"):
            yield ServerSentEvent(event="end", data=RunSummary.model_validate(run))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), POLL_S)
