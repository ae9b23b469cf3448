"""/train: start, watch and cancel training runs."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Path, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.status import HTTP_202_ACCEPTED

from app.dependencies import Before, Injected, Limit, Services
from app.errors import AuthorizationError, BodyError, FieldError, MediaTypeError, OriginError, UnavailableError
from app.openapi import problems
from app.schemas import RunDetail, RunList, RunProgress, RunSummary, TrainRequest
from app.security import require_key
from inkling.errors import IdempotencyKeyError, QueueFullError, RunFinishedError, TooLargeError, UnknownRunError
from inkling.network.recipe import RECIPES, Recipe
from inkling.registry.records import Run

router = APIRouter(prefix="/train", tags=["train"])

RunId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post(
    "",
    status_code=HTTP_202_ACCEPTED,
    dependencies=[Depends(require_key)],
    responses=problems(
        BodyError,
        AuthorizationError,
        OriginError,
        TooLargeError,
        MediaTypeError,
        IdempotencyKeyError,
        FieldError,
        QueueFullError,
        UnavailableError,
        instance="/train",
    ),
)
def start_run(
    services: Injected,
    background: BackgroundTasks,
    response: Response,
    body: TrainRequest | None = None,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="the same key starts no second run")
    ] = None,
) -> RunDetail:
    """Train the network in the background: the tutorial's recipe, unless the body says otherwise.

    The run waits its turn. When it succeeds it makes a new version, which is served if `promote` allows.
    """
    body = body or TrainRequest()
    recipe = _recipe(body)
    services.trainer.require()
    run, _ = services.registry.runs.queue(recipe, body.promote, services.settings.max_queued_runs, idempotency_key)
    background.add_task(services.trainer.ensure)
    response.headers["Location"] = f"/train/{run.id}"
    return _detail(run, services)


@router.get("", responses=problems(FieldError, instance="/train"))
def list_runs(services: Injected, limit: Limit = 20, before: Before = None) -> RunList:
    """List the training runs, newest first."""
    runs = services.registry.runs.newest(limit, before)
    return RunList(
        items=[RunSummary.model_validate(run) for run in runs],
        next=runs[-1].id if len(runs) == limit else None,
    )


@router.get("/{run_id}", responses=problems(UnknownRunError, FieldError, instance="/train/7"))
def get_run(run_id: RunId, services: Injected) -> RunDetail:
    """Watch a run: its state, its progress, and what it waits for or why it failed."""
    return _detail(services.registry.runs.get(run_id), services)


@router.delete(
    "/{run_id}",
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, UnknownRunError, RunFinishedError, FieldError, instance="/train/7"
    ),
)
def cancel_run(run_id: RunId, services: Injected) -> RunDetail:
    """Cancel a run. One that is being trained stops within a display step; it publishes nothing."""
    return _detail(services.registry.runs.cancel(run_id), services)


def _recipe(body: TrainRequest) -> Recipe:
    try:
        return RECIPES[body.recipe].with_overrides(body.overrides.model_dump(exclude_none=True))
    except ValidationError as error:  # fields that are right one by one, and wrong together
        raise RequestValidationError([{**item, "loc": ("body", "overrides")} for item in error.errors()]) from error


def _detail(run: Run, services: Services) -> RunDetail:
    progress = [RunProgress.model_validate(line) for line in services.registry.runs.progress(run.id)]
    waits_for = services.trainer.describe_wait(run)
    return RunDetail.model_validate(run).model_copy(update={"progress": progress, "waits_for": waits_for})
