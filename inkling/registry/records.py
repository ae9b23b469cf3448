"""The records of the registry: runs, their progress, versions, promotions and corrections."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inkling.network.evaluation import Evaluation
from inkling.network.learned_dataset import LearnedDataset
from inkling.network.recipe import Recipe

MAX_ID = 2**31 - 1
"""The largest id and version: PostgreSQL's INTEGER has 32 bits."""
SOURCE = r"^\w[\w.-]*$"
"""The names that a source of corrections may have: each can be a folder, because the export makes one for it.

Their length is limited apart: pydantic takes 6.5 MB for a pattern that repeats `\\w` up to 64 times.
"""
MAX_SOURCE = 64
"""Characters of such a name."""

RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
LeaseState = Literal["valid", "expired"] | None
PromotePolicy = Literal["if_better", "always", "never"]
MeasuredBy = Literal["release", "trainer", "server"]
"""Who measured a version on test images: the makers of this release, the trainer that made it, or the server or the
command that took an upload."""
DeletedBy = Literal["request", "repair", "prune"]
"""Why a version was deleted: a person asked for it, its file was damaged, or the settings keep no more."""
ErrorType = Literal[
    "dataset",
    "diverged",
    "tensorflow_missing",
    "out_of_memory",
    "disk_full",
    "database_lost",
    "trainer_died",
    "internal",
]
"""The kind of failure that ended a run."""


StageName = Literal["reading images", "starting TensorFlow", "drawing digits", "compiling", "training", "measuring"]
"""What a trainer does, in this order. It leaves out what it has kept from the run before."""


@dataclass(frozen=True)
class Stage:
    """A part of a run; it lasts until the next one begins, or the run ends."""

    name: StageName
    started_at: datetime
    """By the clock of the registry."""


@dataclass(frozen=True)
class Run:
    """A training run."""

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
    """None unless the run is running."""
    attempt: int
    """How often it was started, without starts that ended because its trainer was asked to stop."""
    error_type: ErrorType | None
    error: str | None
    decision: str | None
    """The reason why its version is served or not, or why it was pruned as a trial."""
    version: int | None
    """The version that it made."""
    trouble: str | None
    """What last went wrong with its trainer, in words; None while it trains."""
    preparing: str | None
    """What its trainer does before the first step, in words; None unless it does."""
    dataset: str | None
    """The folder of own data that it was asked for, without those above it; None: MNIST."""
    stages: tuple[Stage, ...] = ()
    """Of its last attempt, up to the one that lasts; none while it is queued, or if an earlier release trained it."""
    traceparent: str | None = None
    """The request that queued it, as W3C Trace Context names it; None if it belongs to no trace."""
    search: int | None = None
    """The search of which it is a trial."""
    trial: int | None = None
    """Its number among the trials of that search, from 1."""


@dataclass(frozen=True)
class Progress:
    """The record of one display step: scores of its batch after the update, and of the held-out images."""

    step: int
    loss: float
    """In nats, summed over the batch."""
    accuracy: float
    """0 to 1, on the batch."""
    validation_accuracy: float | None
    """0 to 1, on the held-out images; None if no images are held out."""
    elapsed_s: float
    validation_loss: float | None = None
    """In nats per image, on the held-out images; None if there are none, or if an earlier release recorded it."""


@dataclass(frozen=True)
class Version:
    """A checkpoint file in the registry, without its content."""

    version: int
    run_id: int | None
    """The run that made it; None unless the origin is "run"."""
    digest: str
    """SHA-256 of the checkpoint file, in hexadecimal."""
    size_bytes: int
    """Size of the checkpoint file."""
    evaluation: Evaluation | None
    """On the test images; None if nobody who is trusted has measured it: a file's own claims do not count."""
    measured_by: MeasuredBy | None
    """None if and only if there is no evaluation."""
    created_at: datetime
    origin: Literal["shipped", "run", "upload"]
    dataset: str | None
    """The name of the dataset that it learned; None: digits, from an earlier release."""
    classes: tuple[str, ...]
    """The names of its ten classes."""

    @property
    def learned(self) -> LearnedDataset:
        return LearnedDataset(self.dataset, self.classes)


@dataclass(frozen=True)
class Comparison:
    """The scores of a candidate and of the served version on the same held-out images."""

    images: int
    candidate_correct: int
    served_correct: int
    candidate_only_correct: int
    """Images that only the candidate reads correctly (the discordant pairs in its favor)."""
    served_only_correct: int
    """Images that only the served version reads correctly."""
    p_value: float
    """McNemar's exact test, one-sided: the probability of a result at least as good if both are equally good."""
    worst_digit: int
    worst_digit_change: float
    """The change of that digit's recall, candidate minus served: the smallest of the ten digits."""
    people: "Comparison | None" = None
    """On the held-out corrections; None if the candidate has learned none."""


@dataclass(frozen=True)
class Decision:
    """Whether a version is served, and why."""

    is_promoted: bool
    reason: str
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Promotion:
    """An entry of the history of promotions: a decision on a version."""

    id: int
    version: int
    promoted_at: datetime
    policy: str
    reason: str
    is_promoted: bool
    compared_with: int | None
    """The version that was served before."""
    comparison: Comparison | None


@dataclass(frozen=True)
class Snapshot:
    """The state from which a run can be resumed."""

    step: int
    state: bytes


@dataclass(frozen=True)
class HeldLease:
    """The lease of a running run, as others see it."""

    owner: str
    is_valid: bool
    """Whether it has not expired yet."""


@dataclass(frozen=True)
class Workload:
    """What there is to train in a registry, and who trains."""

    queued: int
    leases: Sequence[HeldLease]
    waiting_searches: int = 0
    """Searches that need a trainer to choose their next trials: none of theirs is queued or running."""

    def claimable(self, at_once: int = 1) -> int:
        """Return how many runs trainers could claim now, if `at_once` may be trained at the same time."""
        valid = sum(lease.is_valid for lease in self.leases)
        return max(0, min(self.queued + self.waiting_searches + len(self.leases) - valid, at_once - valid))

    def lease_state(self, owner: str | None) -> LeaseState:
        """Return whether the lease of an owner has expired; None if it has none."""
        return next(("valid" if held.is_valid else "expired" for held in self.leases if held.owner == owner), None)


@dataclass(frozen=True)
class Lease:
    """The right of one trainer to write to a run, until it expires or is lost."""

    run: Run
    """The run as it was when it was leased."""
    token: str
    """Every write carries it, so that a trainer that lost its lease can change nothing (a fencing token)."""


@dataclass(frozen=True)
class Answered:
    """An image and the answer that a version gave to it."""

    image: bytes
    """28x28 pixels, 0 background to 255 foreground, row by row."""
    version: int
    digit: int
    confidence: float
    is_digit: bool | None
    """None if the version has no digit probe."""


@dataclass(frozen=True)
class Correction:
    """An image with the digit that a person says it shows; also one that confirms an answer."""

    id: int
    image: bytes
    """28x28 pixels, 0 background to 255 foreground, row by row."""
    label: int | None
    """0 to 9; None: it shows no digit."""
    version: int | None
    """The version that answered; it may have been deleted since. None if the image was imported."""
    digit: int | None
    """The answer; None if the image was imported."""
    confidence: float | None
    is_correct: bool | None
    """Whether the answer was correct; None if nobody answered, or cannot say whether there is a digit."""
    source: str | None
    """Who it comes from, as the client named it."""
    created_at: datetime


@dataclass(frozen=True)
class FeedbackScore:
    """How many of the images that people corrected or confirmed a version had read correctly."""

    version: int
    correct: int
    total: int
