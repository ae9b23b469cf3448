"""The lessons of a run beside the dataset: corrections of the registry, and the version that it starts from."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inkling.digit import DIGIT_NAMES, SIDE
from inkling.errors import DatasetError
from inkling.mnist import Split
from inkling.network.checkpoint import SHAPES, Checkpoint, LearnedFeedback, load
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import Recipe
from inkling.registry.records import Correction
from inkling.registry.registry import Registry
from training.set_aside import name_of, set_aside
from training.snapshot import Parameters

HELD_OUT_BELOW = 64
"""One picture in four is held out: that whose SHA-256 starts with a byte below this."""


@dataclass(frozen=True)
class Feedback:
    """Corrections of digits. A picture is either learned or held out, in this run and in every later one."""

    learned: Split
    sources: NDArray[np.int64]
    """The source of each learned picture (n,), numbered from 0. Pictures without a source are of one."""
    held_out: Split
    digest: str
    """SHA-256 of all pictures with their labels and sources, in hexadecimal."""
    held_out_sources: NDArray[np.str_]
    """The source of each held-out picture (n,), as a phrase."""
    remarks: tuple[str, ...] = ()
    """Who is set aside and why, one phrase each."""
    set_aside: int = 0
    """Corrections of digits that are neither learned nor held out."""

    @cached_property
    def _up_to(self) -> NDArray[np.float64]:
        """The cumulative probability (n,) of each learned picture in a batch."""
        weights = 1 / np.bincount(self.sources)[self.sources]
        up_to = np.cumsum(weights)
        return np.asarray(up_to / up_to[-1], np.float64)

    def sample(self, shape: tuple[int, int], seed: list[int]) -> NDArray[np.int64]:
        """Return random indices of learned pictures. All sources are equally probable, whoever sends the most."""
        return np.searchsorted(self._up_to, np.random.default_rng(seed).random(shape), side="right")


@dataclass(frozen=True)
class Lessons:
    """What a run learns beside the dataset."""

    feedback: Feedback | None = None
    """None: the recipe has no feedback."""
    base: Parameters | None = None
    """The parameters to start from; None: random ones."""

    @property
    def digest(self) -> str:
        """The digest of the feedback; empty if there is none."""
        return self.feedback.digest if self.feedback else ""

    @property
    def on_card(self) -> LearnedFeedback | None:
        if self.feedback is None:
            return None
        return LearnedFeedback(
            digest=self.digest,
            learned=len(self.feedback.learned),
            held_out=len(self.feedback.held_out),
            sources=len(np.unique(self.feedback.sources)),
            set_aside=self.feedback.set_aside,
        )


NO_LESSONS = Lessons()


def read_lessons(registry: Registry, recipe: Recipe, classes: tuple[str, ...] = DIGIT_NAMES) -> Lessons:
    """Read what a recipe needs of a registry; of the corrections those of these classes.

    Raises:
        DatasetError: there is no correction to learn.
        UnknownVersionError: there is no such base.
        CheckpointError: the file of the base is damaged.
    """
    base = load(registry.versions.checkpoint(recipe.base)) if recipe.base else None
    feedback = None
    if recipe.feedback:
        reference = load_pretrained() if classes == DIGIT_NAMES else base
        feedback = split_feedback(registry.corrections.of_classes(classes), reference)
    return Lessons(feedback, {name: base.parameters[name] for name in SHAPES} if base else None)


def split_feedback(corrections: list[Correction], reference: Checkpoint | None) -> Feedback:
    """Return the corrections of digits, split by the SHA-256 of each picture.

    The split is the same in every run, so that no version is judged on what its base has learned, and the same picture
    from two people is on one side.

    Args:
        corrections: oldest first.
        reference: as in `set_aside`. Of digits it is the shipped network, which no correction can have spoiled.

    Raises:
        DatasetError: there is none to learn.
    """
    digits = [correction for correction in corrections if correction.label is not None]
    digest = hashlib.sha256()
    for correction in digits:
        digest.update(correction.image + f"{correction.label}{correction.source or ''}\n".encode())
    kept = set_aside(digits, reference)
    is_held_out = [hashlib.sha256(correction.image).digest()[0] < HELD_OUT_BELOW for correction in kept.corrections]
    learned = [correction for correction, is_out in zip(kept.corrections, is_held_out, strict=True) if not is_out]
    if not learned:
        raise DatasetError(_nothing_to_learn(len(digits), kept.remarks))
    _, sources = np.unique([correction.source or "" for correction in learned], return_inverse=True)
    held_out = [correction for correction, is_out in zip(kept.corrections, is_held_out, strict=True) if is_out]
    return Feedback(
        learned=_to_split(learned),
        sources=sources,
        held_out=_to_split(held_out),
        digest=digest.hexdigest(),
        held_out_sources=np.array([name_of(correction.source or "") for correction in held_out], np.str_),
        remarks=kept.remarks,
        set_aside=kept.set_aside,
    )


def _nothing_to_learn(digits: int, remarks: tuple[str, ...]) -> str:
    if remarks:
        return (
            f"there is nothing to learn: of {digits} corrections of digits all are held out or set aside: "
            f"{'; '.join(remarks)}. GET /feedback?source= shows them, DELETE /feedback?source= deletes them"
        )
    return (
        f"there is nothing to learn: of {digits} corrections of digits all are held out; POST /feedback adds some, or "
        "leave out `feedback` from the recipe"
    )


def _to_split(corrections: list[Correction]) -> Split:
    images = np.frombuffer(b"".join(correction.image for correction in corrections), np.uint8)
    return Split(
        images.reshape(-1, SIDE, SIDE), np.array([correction.label for correction in corrections], dtype=np.uint8)
    )
