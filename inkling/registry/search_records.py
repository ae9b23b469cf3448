"""The records of searches and of their trials."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inkling.network.evaluation import wilson_interval
from inkling.network.recipe import Recipe
from inkling.registry.records import RunState
from inkling.search_space import Value

SearchState = Literal["running", "succeeded", "failed", "cancelled"]
TrialState = RunState | Literal["pruned"]
NAME = r"^[\w.-]+$"
MAX_NAME = 64
MAX_TRIALS = 1000
MAX_GENERATION = 64


@dataclass(frozen=True)
class SearchPlan:
    """What a search was asked for. The same plan on the same machine ends with the same ranking."""

    recipe: Recipe
    """Of every trial, but for the fields of the space."""
    space: Mapping[str, str]
    """The fields to vary, as words of `inkling.search_space`."""
    trials: int
    generation: int
    """Trials that are chosen together, from the scores of all before them, so that several trainers can work."""
    seed: int
    """Of the choice of the trials."""
    dataset: str | None
    """As in `Run`."""


@dataclass(frozen=True)
class Search:
    """A search for the values of a recipe with which held-out images are read best."""

    id: int
    name: str | None
    state: SearchState
    plan: SearchPlan
    requested_at: datetime
    finished_at: datetime | None
    error: str | None
    """Why it failed, in words."""


@dataclass(frozen=True)
class Trial:
    """A run of a search, with the scores of its newest line of progress."""

    number: int
    """From 1."""
    run_id: int
    state: TrialState
    """That of its run; or pruned: ended early, because trials before it had better scores at the same step."""
    values: Mapping[str, Value]
    """Of the fields that the search varies."""
    step: int
    total_steps: int
    scored_at: int | None
    """The step after which the scores were taken; None if there are none yet."""
    validation_loss: float | None
    """Mean cross-entropy on the held-out images, in nats per image."""
    validation_accuracy: float | None
    validation_images: int | None
    """The number of held-out images."""
    error_type: str | None
    error: str | None
    version: int | None
    """The version that its run made."""

    @property
    def interval_95(self) -> tuple[float, float] | None:
        """The 95 % Wilson score interval of the accuracy on the held-out images; None if there is none."""
        if self.validation_accuracy is None or not self.validation_images:
            return None
        correct = round(self.validation_accuracy * self.validation_images)
        return wilson_interval(correct, self.validation_images)


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Return trials, best first: those that ended by held-out cross-entropy, the pruned ones by how far they came.

    Those without a score, and those that failed or were cancelled, are last.
    """
    order = ("succeeded", "running", "queued", "pruned")

    def key(trial: Trial) -> tuple[int, int, float, int]:
        place = order.index(trial.state) if trial.state in order else len(order)
        reached = -(trial.scored_at or 0) if trial.state == "pruned" else 0
        loss = math.inf if trial.validation_loss is None else trial.validation_loss
        return place, reached, loss, trial.number

    return sorted(trials, key=key)
