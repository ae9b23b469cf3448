"""A short run, and what it comes to."""

from dataclasses import dataclass

from inkling.locks.trainer_lock import TrainerLock
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Progress, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings

Line = tuple[int, float, float, float | None]
SHORT = TUTORIAL.with_overrides(
    {"training_steps": 60, "display_step": 20, "batch_size": 32, "validation_size": 200, "seed": 5}
)


@dataclass(frozen=True)
class Undisturbed:
    """What comes of SHORT if nothing happens to its trainer."""

    digest: str
    lines: list[Line]


def told(lines: list[Progress]) -> list[Line]:
    """Return lines of progress without the time that they took."""
    return [(line.step, line.loss, line.accuracy, line.validation_accuracy) for line in lines]


def queue(registry: Registry, recipe: Recipe = SHORT) -> Run:
    return registry.runs.queue(recipe, "always", max_queued=100)[0]


def take_for_dead(registry: Registry, store: StoreSettings) -> None:
    """End the leases of the trainer that died, as a server does that finds its lock free."""
    lock = TrainerLock(store.data_dir)
    identity = lock.identity()
    assert identity
    assert not lock.is_held()
    registry.runs.expire_leases(identity)
