"""/searches: search for the values of a recipe, by trials that are training runs."""

import importlib.util
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.status import HTTP_202_ACCEPTED

from app.api_route import ApiRoute
from app.dependencies import PageCursor, PageSize, RegistryDep, SettingsDep, TrainersDep
from app.errors import AuthorizationError, BodyError, FieldError, MediaTypeError, OriginError, UnavailableError
from app.openapi import headers, problems
from app.public_paths import public_path
from app.search_schemas import SearchDetail, SearchList, SearchRequest, SearchSummary
from app.security import require_key
from app.serving.trainers import Trainers
from app.settings import Settings
from inkling.errors import (
    QueueFullError,
    SearchFinishedError,
    SearchNameError,
    SpaceError,
    TooLargeError,
    UnknownSearchError,
    UnknownVersionError,
    VersionQuotaError,
)
from inkling.network.recipe import RECIPES, Recipe
from inkling.registry.quota import VersionQuota
from inkling.registry.records import MAX_ID
from inkling.registry.registry import Registry
from inkling.registry.search_records import SearchPlan
from inkling.search_space import Space

router = APIRouter(route_class=ApiRoute, prefix="/searches", tags=["train"])

SearchId = Annotated[int, Path(ge=1, le=MAX_ID, description="the number of the search", examples=[1])]


@router.post(
    "",
    status_code=HTTP_202_ACCEPTED,
    dependencies=[Depends(require_key)],
    responses={
        HTTP_202_ACCEPTED: {"description": "The search, running", "headers": headers("Location")},
        **problems(
            BodyError,
            AuthorizationError,
            OriginError,
            SearchNameError,
            TooLargeError,
            MediaTypeError,
            FieldError,
            QueueFullError,
            VersionQuotaError,
            UnavailableError,
            instance="/searches",
        ),
    },
)
def start_search(
    *,
    body: SearchRequest,
    registry: RegistryDep,
    trainers: TrainersDep,
    settings: SettingsDep,
    background: BackgroundTasks,
    request: Request,
    response: Response,
) -> SearchDetail:
    """Search in the background for the values of a recipe with which held-out images are read best.

    Each trial is a run. Those that succeed make versions, none of which is served unless somebody promotes it.
    """
    plan = _plan(body, registry, settings)
    _require_optuna(trainers)
    quota = VersionQuota(settings.max_versions, settings.max_versions_bytes)
    search, _ = registry.searches.start(plan, body.name, settings.max_queued_runs, quota)
    background.add_task(trainers.ensure)
    response.headers["Location"] = public_path(request.scope, f"/searches/{search.id}")
    return SearchDetail.ranked(search, registry.searches.trials(search))


@router.get("", responses=problems(FieldError, instance="/searches"))
def list_searches(registry: RegistryDep, page_size: PageSize = 20, cursor: PageCursor = None) -> SearchList:
    """List the searches, newest first."""
    searches = registry.searches.newest(page_size, cursor)
    return SearchList(
        items=[SearchSummary.of(search) for search in searches],
        next=searches[-1].id if len(searches) == page_size else None,
    )


@router.get("/{search_id}", responses=problems(UnknownSearchError, FieldError, instance="/searches/7"))
def get_search(search_id: SearchId, registry: RegistryDep) -> SearchDetail:
    """Show a search: its state, and its trials so far, best first."""
    search = registry.searches.get(search_id)
    return SearchDetail.ranked(search, registry.searches.trials(search))


@router.delete(
    "/{search_id}",
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, UnknownSearchError, SearchFinishedError, FieldError, instance="/searches/7"
    ),
)
def cancel_search(search_id: SearchId, registry: RegistryDep) -> SearchDetail:
    """Cancel a search and its runs. The versions of trials that have ended stay."""
    search = registry.searches.cancel(search_id)
    return SearchDetail.ranked(search, registry.searches.trials(search))


def _plan(body: SearchRequest, registry: Registry, settings: Settings) -> SearchPlan:
    try:
        recipe = RECIPES[body.recipe].with_overrides(body.overrides.model_dump(exclude_none=True))
    except ValidationError as error:  # fields that are right one by one, and wrong together
        raise RequestValidationError([{**item, "loc": ("body", "overrides")} for item in error.errors()]) from error
    _check(recipe, body.space)
    try:
        if recipe.base:
            registry.versions.get(recipe.base)
    except UnknownVersionError as error:
        raise FieldError(f"base: {error}; GET /versions lists them") from error
    return SearchPlan(recipe, body.space, body.trials, body.generation, body.seed, settings.dataset_name)


def _check(recipe: Recipe, space: dict[str, str]) -> None:
    try:
        Space.read(space, recipe)
    except SpaceError as error:
        loc = ("body", "space", error.field[:100]) if error.field else ("body", "space")
        value = space.get(error.field, space) if error.field else space
        wrong = {"type": "space", "loc": loc, "msg": str(error), "input": value}
        raise RequestValidationError([wrong]) from error


def _require_optuna(trainers: Trainers) -> None:
    trainers.require()
    if trainers.is_own and importlib.util.find_spec("optuna") is None:
        raise UnavailableError(
            "searches need Optuna, which is not installed here: pip install '.[search]' in the project's folder"
        )
