"""The rows of searches and their trials: conditions, and the conversion to records."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from inkling.network.recipe import Recipe
from inkling.registry.search_records import Search, SearchPlan, Trial, TrialState
from inkling.registry.tables import run_progress, runs, searches, trials

is_unfinished = runs.c.state.in_(("queued", "running"))
has_no_unfinished_trial = and_(
    searches.c.state == "running",
    ~select(runs.c.id).where(runs.c.search == searches.c.id, is_unfinished).correlate(searches).exists(),
)
"""Of a search that needs a trainer: to choose its next trials, or to end it."""


def read_trials(connection: Connection, search: Search) -> list[Trial]:
    """Return the trials of a search in the order of their numbers, each with its newest scores."""
    fields = sorted(search.plan.space.keys() & Recipe.model_fields.keys())
    return [_to_trial(row, fields) for row in connection.execute(_trials_of(search.id))]


def _trials_of(search_id: int) -> Select[Any]:
    newest = (
        select(run_progress.c.run_id, func.max(run_progress.c.step).label("step"))
        .join(runs, runs.c.id == run_progress.c.run_id)
        .where(runs.c.search == search_id)
        .group_by(run_progress.c.run_id)
        .subquery()
    )
    scored = (run_progress.c.run_id == newest.c.run_id) & (run_progress.c.step == newest.c.step)
    scores = run_progress.c.validation_loss, run_progress.c.validation_accuracy, run_progress.c.step.label("scored_at")
    return (
        select(runs, trials.c.pruned_at, trials.c.validation_images, *scores)
        .join(trials, trials.c.run_id == runs.c.id)
        .outerjoin(newest, newest.c.run_id == runs.c.id)
        .outerjoin(run_progress, scored)
        .where(runs.c.search == search_id)
        .order_by(runs.c.trial)
    )


def _to_trial(row: Row[Any], fields: Sequence[str]) -> Trial:
    recipe = Recipe.model_validate(row.recipe, extra="ignore")
    state: TrialState = "pruned" if row.pruned_at is not None else row.state
    return Trial(
        number=row.trial,
        run_id=row.id,
        state=state,
        values={field: getattr(recipe, field) for field in fields},
        step=row.step,
        total_steps=row.total_steps,
        scored_at=row.scored_at,
        validation_loss=row.validation_loss,
        validation_accuracy=row.validation_accuracy,
        validation_images=row.validation_images,
        error_type=row.error_type,
        error=row.error,
        version=row.version,
    )


def to_search(row: Row[Any]) -> Search:
    plan = SearchPlan(
        recipe=Recipe.model_validate(row.recipe, extra="ignore"),
        space=row.space,
        trials=row.trials,
        generation=row.generation,
        seed=row.seed,
        dataset=row.dataset,
    )
    return Search(
        id=row.id,
        name=row.name,
        state=row.state,
        plan=plan,
        requested_at=row.requested_at,
        finished_at=row.finished_at,
        error=row.error,
    )
