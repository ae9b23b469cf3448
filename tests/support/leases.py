"""Queued and leased runs, their progress and decisions on their versions, for the tests of the registry."""

from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision, Lease, Progress, Run
from inkling.registry.registry import Registry

SHORT = TUTORIAL.with_overrides({"training_steps": 200})
LONG_S = 600.0
OWNER = "tests"


def queue(registry: Registry, key: str | None = None) -> Run:
    run, _ = registry.runs.queue(SHORT, "if_better", max_queued=1000, idempotency_key=key)
    return run


def lease(registry: Registry, lease_s: float = LONG_S, run_id: int | None = None) -> Lease:
    """Return the lease of the oldest queued run, or of the one named."""
    leased = registry.runs.claim(lease_s, OWNER, run_id)
    assert leased is not None
    return leased


def progress_at(step: int) -> Progress:
    return Progress(step, loss=500.0 / step, accuracy=0.5, validation_accuracy=0.25, elapsed_s=step / 100)


def promoted(served: bytes | None) -> Decision:
    return Decision(is_promoted=True, reason="for the test")


def not_promoted(served: bytes | None) -> Decision:
    return Decision(is_promoted=False, reason="not for the test")
