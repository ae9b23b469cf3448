"""The records of the registry: runs, their progress, versions and promotions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inkling.network.evaluation import Evaluation
from inkling.network.recipe import Recipe

RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
PromotePolicy = Literal["if_better", "always", "never"]


@dataclass(frozen=True)
class Run:
    id: int
    state: RunState
    recipe: Recipe
    promote: PromotePolicy
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    step: int
    total_steps: int
    lease_expires_at: datetime | None
    attempt: int
    error_type: str | None
    error: str | None
    decision: str | None
    version: int | None


@dataclass(frozen=True)
class Progress:
    """What one display step shows: of its own batch after its update, and of the images held out."""

    step: int
    loss: float  # nats, summed over the batch
    accuracy: float  # 0 to 1
    validation_accuracy: float | None  # 0 to 1; None when nothing is held out
    elapsed_s: float


@dataclass(frozen=True)
class Version:
    version: int
    run_id: int | None
    digest: str
    size_bytes: int
    """Of the checkpoint file."""
    evaluation: Evaluation
    created_at: datetime
    origin: Literal["shipped", "run", "upload"]


@dataclass(frozen=True)
class Comparison:
    """A candidate against the served version, on the same held-out images."""

    images: int
    candidate_correct: int
    served_correct: int
    candidate_only_correct: int
    """Images that the candidate alone reads right."""
    served_only_correct: int
    p_value: float
    """Of McNemar's exact test, one-sided: how likely so good a candidate is if both are equally good."""
    worst_digit: int
    worst_digit_change: float
    """Recall of that digit, candidate less served: the largest loss over the ten digits."""


@dataclass(frozen=True)
class Decision:
    is_promoted: bool
    reason: str
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Promotion:
    """A decision on a version: an entry of the ledger."""

    id: int
    version: int
    promoted_at: datetime
    policy: str
    reason: str
    is_promoted: bool
    compared_with: int | None
    """The version that was served then."""
    comparison: Comparison | None


@dataclass(frozen=True)
class Snapshot:
    """The state that a run can go on from."""

    step: int
    state: bytes


@dataclass(frozen=True)
class Lease:
    """A run that one trainer owns until its lease ends; the token fences every write."""

    run: Run
    token: str
