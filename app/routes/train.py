"""/train: start, watch and cancel training runs."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.status import HTTP_202_ACCEPTED

from app.api_route import ApiRoute
from app.dependencies import PageCursor, PageSize, RegistryDep, RunId, SettingsDep, TrainersDep
from app.errors import AuthorizationError, BodyError, FieldError, MediaTypeError, OriginError, UnavailableError
from app.openapi import headers, problems
from app.public_paths import public_path
from app.schemas import RunDetail, RunList, RunProgress, RunSummary, TrainRequest
from app.security import require_key
from app.serving.trainers import Trainers
from inkling.errors import (
    IdempotencyKeyError,
    QueueFullError,
    RunFinishedError,
    TooLargeError,
    UnknownRunError,
    UnknownVersionError,
    VersionQuotaError,
)
from inkling.network.recipe import RECIPES, Recipe
from inkling.registry.quota import VersionQuota
from inkling.registry.records import Run
from inkling.registry.registry import Registry

EXTERNAL_TRAINER_S = 5.0
"""An external trainer polls every second; if none has taken a run for this long, none is there."""

router = APIRouter(route_class=ApiRoute, prefix="/train", tags=["train"])


@router.post(
    "",
    status_code=HTTP_202_ACCEPTED,
    dependencies=[Depends(require_key)],
    responses={
        HTTP_202_ACCEPTED: {"description": "The run, queued", "headers": headers("Location")},
        **problems(
            BodyError,
            AuthorizationError,
            OriginError,
            TooLargeError,
            MediaTypeError,
            IdempotencyKeyError,
            FieldError,
            QueueFullError,
            VersionQuotaError,
            UnavailableError,
            instance="/train",
        ),
    },
)
def start_run(
    *,
    registry: RegistryDep,
    trainers: TrainersDep,
    settings: SettingsDep,
    background: BackgroundTasks,
    request: Request,
    response: Response,
    body: TrainRequest | None = None,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="the same key starts no second run")
    ] = None,
) -> RunDetail:
    """Train the network in the background, with the tutorial's recipe unless the body names other values.

    The run is queued. If it succeeds it makes a new version, which is served if `promote` allows it.
    """
    body = body or TrainRequest()
    recipe = _recipe(body)
    _require_base(recipe, registry)
    trainers.require()
    quota = VersionQuota(settings.max_versions, settings.max_versions_bytes)
    run, _ = registry.runs.queue(
        recipe,
        body.promote,
        settings.max_queued_runs,
        idempotency_key,
        quota,
        traceparent=request.scope.get("traceparent"),
        dataset=settings.dataset_name,
    )
    background.add_task(trainers.ensure)
    response.headers["Location"] = public_path(request.scope, f"/train/{run.id}")
    return _detail(run, registry, trainers)


@router.get("", responses=problems(FieldError, instance="/train"))
def list_runs(registry: RegistryDep, page_size: PageSize = 20, cursor: PageCursor = None) -> RunList:
    """List the training runs, newest first."""
    runs = registry.runs.newest(page_size, cursor)
    return RunList(
        items=[RunSummary.model_validate(run) for run in runs],
        next=runs[-1].id if len(runs) == page_size else None,
    )


@router.get("/{run_id}", responses=problems(UnknownRunError, FieldError, instance="/train/7"))
def get_run(run_id: RunId, registry: RegistryDep, trainers: TrainersDep) -> RunDetail:
    """Show a run: its state, its progress, and the reason why it waits or failed."""
    return _detail(registry.runs.get(run_id), registry, trainers)


@router.delete(
    "/{run_id}",
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, UnknownRunError, RunFinishedError, FieldError, instance="/train/7"
    ),
)
def cancel_run(run_id: RunId, registry: RegistryDep, trainers: TrainersDep) -> RunDetail:
    """Cancel a run. One that is being trained stops within a display step; it publishes nothing."""
    return _detail(registry.runs.cancel(run_id), registry, trainers)


def _recipe(body: TrainRequest) -> Recipe:
    try:
        return RECIPES[body.recipe].with_overrides(body.overrides.model_dump(exclude_none=True))
    except ValidationError as error:  # fields that are right one by one, and wrong together
        raise RequestValidationError([{**item, "loc": ("body", "overrides")} for item in error.errors()]) from error


def _require_base(recipe: Recipe, registry: Registry) -> None:
    try:
        if recipe.base:
            registry.versions.get(recipe.base)
    except UnknownVersionError as error:
        raise FieldError(f"base: {error}; GET /versions lists them") from error


def _detail(run: Run, registry: Registry, trainers: Trainers) -> RunDetail:
    progress = [RunProgress.model_validate(line) for line in registry.runs.progress(run.id)]
    waits_for = describe_wait(run, registry, trainers.runs_at_once, is_own_trainer=trainers.is_own)
    if run.state in ("queued", "running"):
        waits_for = trainers.disk_trouble() or waits_for
    return RunDetail.model_validate(run).model_copy(update={"progress": progress, "waits_for": waits_for})


def describe_wait(run: Run, registry: Registry, at_once: int = 1, *, is_own_trainer: bool) -> str | None:
    """Return what a queued run waits for, in words; None if it does not wait.

    Args:
        run: as the registry returned it.
        registry: that holds it.
        at_once: how many runs may be trained at the same time.
        is_own_trainer: whether this server starts its trainers itself.
    """
    if run.state != "queued":
        return None
    running = [str(other.id) for other in registry.runs.running()]
    if len(running) >= at_once:
        *others, last = running
        if not others:
            return f"waits for run {last}, which is being trained"
        return f"waits for one of the runs {', '.join(others)} and {last}, which are being trained"
    if is_own_trainer:
        return "waits for its trainer, which is starting"
    waited = (datetime.now(UTC) - run.requested_at).total_seconds()  # negative if the clock was set back
    if waited < EXTERNAL_TRAINER_S:
        return "waits for a trainer to take it"
    return (
        f"no trainer has taken it for {waited:.0f} s; start one on this registry: "
        "`inkling worker`, or `docker compose up trainer`"
    )
