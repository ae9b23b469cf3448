"""Searches for tests: their plans, and trials that end with a given score instead of being trained."""

import math
from collections.abc import Callable, Sequence

from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision, Lease, Progress
from inkling.registry.registry import Registry
from inkling.registry.search_records import Search, SearchPlan, Trial

BASE = TUTORIAL.with_overrides({"training_steps": 60, "display_step": 20, "batch_size": 32, "validation_size": 200})
SPACE = {"learning_rate": "log:0.00001..0.1"}
LEASE_S = 600.0

Score = Callable[[float], float]
"""The held-out cross-entropy of a trial, by its learning rate."""


def plan(trials: int = 8, generation: int = 4, seed: int = 0, **overrides: object) -> SearchPlan:
    return SearchPlan(BASE.with_overrides(overrides), SPACE, trials, generation, seed, None)


def start(registry: Registry, of: SearchPlan | None = None, name: str | None = None) -> Search:
    return registry.searches.start(of or plan(), name, max_running=100)[0]


def bowl(learning_rate: float) -> float:
    """Return a score that is best at 0.003."""
    return 0.1 + abs(math.log10(learning_rate / 0.003))


def progress(step: int, loss: float) -> Progress:
    return Progress(step, 10.0, 0.5, 0.9, step / 100, loss)


def claim(registry: Registry) -> Lease:
    lease = registry.runs.claim(LEASE_S, "a test", at_once=100)
    assert lease is not None
    return lease


def end_trial(registry: Registry, lease: Lease, checkpoint: Checkpoint, loss: float) -> None:
    """Record what the trainer of a trial would."""
    registry.searches.start_trial(lease, validation_images=200)
    for step in (20, 40, 60):
        registry.runs.record_progress(lease, progress(step, loss + (60 - step) / 100))
    registry.publish(lease, checkpoint, lambda served: Decision(is_promoted=False, reason="never"))


def outcomes(trials: Sequence[Trial]) -> list[tuple[int, str, float | str | int, float | None]]:
    return [(trial.number, trial.state, trial.values["learning_rate"], trial.validation_loss) for trial in trials]
