"""Runs for tests: recipes of several lengths, claims, and the expected outcome of a short run."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from inkling.locks.trainer_lock import TrainerLock
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Lease, Progress, PromotePolicy, Run, Version
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings

Line = tuple[int, float, float, float | None]
SHORT = TUTORIAL.with_overrides(
    {"training_steps": 60, "display_step": 20, "batch_size": 32, "validation_size": 200, "seed": 5}
)
SMALL = TUTORIAL.with_overrides({"training_steps": 200, "display_step": 100, "validation_size": 500})
ENDLESS = SMALL.with_overrides({"training_steps": 1_000_000, "display_step": 500, "batch_size": 1})
LONG_S = 600.0
"""A lease that does not expire during a test."""
OWNER = "tests"


@dataclass(frozen=True)
class Outcome:
    """The outcome of SHORT."""

    digest: str
    lines: list[Line]


def without_times(lines: list[Progress]) -> list[Line]:
    """Return lines of progress without their elapsed times."""
    return [(line.step, line.loss, line.accuracy, line.validation_accuracy) for line in lines]


def queue(registry: Registry, recipe: Recipe = SHORT, promote: PromotePolicy = "always") -> Run:
    return registry.runs.queue(recipe, promote, max_queued=100)[0]


def claim(registry: Registry, promote: PromotePolicy = "if_better", lease_s: float = LONG_S) -> Lease:
    """Queue a small run and claim it."""
    queue(registry, SMALL, promote)
    lease = registry.runs.claim(lease_s, OWNER)
    assert lease is not None
    return lease


def published(registry: Registry) -> list[Version]:
    """Return the versions that runs made, newest first: without the one that ships."""
    return [version for version in registry.versions.newest(100) if version.origin == "run"]


def has_failed(registry: Registry, run_id: int) -> Callable[[], bool]:
    return lambda: registry.runs.get(run_id).state == "failed"


def step_of(registry: Registry, run_id: int) -> Callable[[], int]:
    return lambda: registry.runs.get(run_id).step


def expire_leases(registry: Registry, store: StoreSettings) -> None:
    """Expire the leases of a dead trainer, as a server does that finds its lock free."""
    lock = TrainerLock(store.data_dir)
    identity = lock.identity()
    assert identity
    assert not lock.is_held()
    registry.runs.expire_leases(identity)


def execute(store: StoreSettings, statement: str) -> None:
    """Change a SQLite registry in a way that none of its methods does."""
    with closing(sqlite3.connect(store.data_dir / "inkling.db", timeout=60)) as connection, connection:
        connection.execute(statement)


def stop_between_writes(store: StoreSettings, pid: int) -> None:
    """Stop a process with SIGSTOP while it does not hold the write lock of a SQLite registry: this process holds it."""
    with closing(sqlite3.connect(store.data_dir / "inkling.db", timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        os.kill(pid, signal.SIGSTOP)


def store_flags(store: StoreSettings) -> list[str]:
    """Return the arguments of `train` and `worker` that name the folders of a store."""
    return ["--data-dir", str(store.data_dir), "--mnist-dir", str(store.mnist_dir)]


def worker_arguments(store: StoreSettings) -> list[str]:
    return ["worker", *store_flags(store)]
