"""The next trials of a search: Optuna chooses them from the scores of those that have ended.

Optuna keeps nothing: each generation is chosen from the rows of the registry, by a new sampler, whose seed is made of
that of the search and the number of trials so far. So any trainer can go on with a search, after any kill, and chooses
the same trials. Its own storage cannot share a database with the registry: both call the table of their schema's
revision `alembic_version`, and Optuna refuses ours.
"""

import logging
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from inkling.errors import InklingError
from inkling.network.recipe import Recipe
from inkling.registry.registry import Registry
from inkling.registry.search_records import Search, Trial
from inkling.search_space import Dimension, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

PRUNING_TRIALS = 5
"""Trials that must have run to their end before others are pruned, as in Optuna's MedianPruner."""
PRUNING_STEPS = 20
"""Steps at which a trial may be pruned, evenly spaced."""
PRUNED_FROM = 0.25
"""Share of the steps before which none is pruned: a rising step size makes all bad at first."""

logger = logging.getLogger(__name__)


def queue_next_trials(registry: Registry) -> bool:
    """Queue the next trials of a search that waits for them, or end it; return whether there was one.

    Raises:
        SQLAlchemyError: the registry does not answer.
    """
    search = registry.searches.waiting()
    if search is None:
        return False
    trials = registry.searches.trials(search)
    if reason := _reason_to_fail(trials[-search.plan.generation :]):
        registry.searches.end(search, "failed", reason)
        logger.error("search %d: failed: %s", search.id, reason)
    elif len(trials) >= search.plan.trials:
        registry.searches.end(search, "succeeded")
        logger.info("search %d: succeeded, %d trials", search.id, len(trials))
    else:
        _queue(registry, search, trials)
    return True


def _queue(registry: Registry, search: Search, trials: Sequence[Trial]) -> None:
    try:
        recipes = choose_recipes(search, trials)
    except (ModuleNotFoundError, InklingError, ValueError) as error:
        is_missing = isinstance(error, ModuleNotFoundError)
        advice = "; run pip install '.[search]' in the project's folder where the trainer is" if is_missing else ""
        registry.searches.end(search, "failed", f"{error}{advice}")
        logger.error("search %d: failed: %s%s", search.id, error, advice)
        return
    limits = _prune_above(registry, search, trials)
    if registry.searches.queue_trials(search, len(trials), recipes, limits):
        logger.info("search %d: %d of %d trials queued", search.id, len(trials) + len(recipes), search.plan.trials)


def _reason_to_fail(generation: Sequence[Trial]) -> str | None:
    """Return why a search cannot succeed: not one of its last trials could be trained. None if one could."""
    failed = [trial for trial in generation if trial.state == "failed" and trial.error_type != "diverged"]
    if not failed or len(failed) < len(generation):
        return None
    return f"all of its last {len(failed)} trials failed; trial {failed[-1].number}: {failed[-1].error}"


def choose_recipes(search: Search, trials: Sequence[Trial]) -> list[Recipe]:
    """Return the recipes of a search's next trials. The same arguments give the same recipes.

    By the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"); each
    trial of a generation takes the others for bad ones ("constant liar"), so that they differ.

    Args:
        search: that is running.
        trials: all of its trials, which have ended.

    Raises:
        ModuleNotFoundError: Optuna is not installed.
        SpaceError: this release cannot read the space.
    """
    import optuna  # noqa: PLC0415  0.5 s, which trainers without a search save

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan = search.plan
    space = Space.read(plan.space, plan.recipe)
    distributions = {dimension.field: _distribution(dimension) for dimension in space.dimensions}
    seed = int(np.random.SeedSequence([plan.seed, len(trials)]).generate_state(1)[0])
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for trial in trials:
        study.add_trial(_told(trial, distributions))
    recipes = []
    for _ in range(min(plan.generation, plan.trials - len(trials))):
        chosen = study.ask(distributions).params
        values = {dimension.field: dimension.nearest(chosen[dimension.field]) for dimension in space.dimensions}
        recipes.append(plan.recipe.with_overrides(values))
    return recipes


def _distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna.distributions import (  # noqa: PLC0415  as above
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if dimension.is_integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.is_log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log)


def _told(trial: Trial, distributions: "dict[str, BaseDistribution]") -> "FrozenTrial":
    """Return a trial as Optuna knows it. One that diverged is as bad as a pruned one; other failures say nothing."""
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415  as above

    loss, step = trial.validation_loss, trial.scored_at
    is_complete = trial.state == "succeeded" and loss is not None
    is_bad = trial.state == "pruned" or trial.error_type == "diverged"
    return create_trial(
        state=TrialState.COMPLETE if is_complete else TrialState.PRUNED if is_bad else TrialState.FAIL,
        value=loss if is_complete else None,
        params=dict(trial.values),
        distributions=distributions,
        intermediate_values={} if loss is None or step is None else {step: loss},
    )


def _prune_above(registry: Registry, search: Search, trials: Sequence[Trial]) -> dict[int, float]:
    """Return the median held-out cross-entropy, by step, of the trials that ran to their end.

    Medians of the trials of earlier generations only: they are known before a trial starts, so when it is pruned
    depends on no other trainer's speed, and a trainer prunes alone.
    """
    if sum(trial.state == "succeeded" for trial in trials) < PRUNING_TRIALS:
        return {}
    recipe = search.plan.recipe
    first = max(1, round(PRUNED_FROM * recipe.training_steps / recipe.display_step))
    lines = range(first, (recipe.training_steps - 1) // recipe.display_step + 1)
    steps = [line * recipe.display_step for line in lines[:: max(1, len(lines) // PRUNING_STEPS)]]
    losses = registry.searches.losses_at(search, steps)
    return {step: median(values) for step, values in sorted(losses.items()) if len(values) >= PRUNING_TRIALS}
