"""Corrections that are set aside before training: those that contradict what is known, or each other.

`python -m benchmarks.learning limits` says what the limits let through, of simulated people who are measured nowhere
else; the figures below are its figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Floats, Images
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.registry.records import Correction

SURE = 0.999
"""Confidence of a reading that is believed more than a source. The shipped network is this sure of four in five of
MNIST's held-out digits, and of 1 of the 22 that it misreads."""
SURE_DIGIT = 0.9
"""Score of the digit probe that such a reading needs, too."""
MAX_CONTRADICTED = 0.1
"""Share of a source's corrections that may contradict such readings. Of people who send nothing but 50 wrong answers it
is 0.02 at most."""
MIN_CONTRADICTED = 5
LIKE = 0.1
"""Distance (1 - correlation) of slightly blurred pictures below which two of them show the same digit: all 64 such
pairs among 200 of MNIST's training images do."""
MAX_INCONSISTENT = 0.3
"""Share of a source's pictures that may have another label than the one of its others that they are most like. Of
correct labels it is 0.02 at most; if 30 % are wrong 0.44 in the median, if half are wrong 0.53."""
MIN_LIKE = 8
"""Pictures with one like them that a source needs before they are judged by each other."""
MAX_COMPARED = 2000
"""Pictures of a source that are compared with each other: the newest."""


@dataclass(frozen=True)
class Kept:
    """The corrections that may be learned, and why others may not."""

    corrections: list[Correction] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    """Who is set aside and why, one phrase each."""
    set_aside: int = 0
    """The number of corrections that are not learned."""


def set_aside(corrections: Sequence[Correction], reference: Checkpoint | None) -> Kept:
    """Return the corrections of digits that may be learned.

    Of several labels that a source gave to one picture the last one counts. A picture to which sources gave different
    labels is left out. A source is set aside as a whole if its labels contradict sure readings, or each other.

    Args:
        corrections: with labels, oldest first.
        reference: a network that is believed where it is sure; None: there is none.
    """
    newest = {(c.source, c.image): c for c in corrections}
    labels: dict[bytes, set[int | None]] = {}
    for correction in newest.values():
        labels.setdefault(correction.image, set()).add(correction.label)
    agreed = [c for c in newest.values() if len(labels[c.image]) == 1]
    remarks = []
    if disputed := sum(len(found) > 1 for found in labels.values()):
        remarks.append(f"{disputed:,} pictures to which sources gave different labels")
    by_source: dict[str, list[Correction]] = {}
    for correction in agreed:
        by_source.setdefault(correction.source or "", []).append(correction)
    classifier = None if reference is None else Classifier(reference, 0)
    doubtful = set()
    for source, sent in sorted(by_source.items()):
        doubts = count_doubts(sent, classifier)
        if doubts.contradicts_readings or doubts.contradicts_itself:
            doubtful.add(source)
            remarks.append(f"{name_of(source)}: {len(sent):,} corrections, {doubts}")
    kept = [c for c in agreed if (c.source or "") not in doubtful]
    left_out = len(agreed) - len(kept) + sum(len(labels[c.image]) > 1 for c in newest.values())
    return Kept(kept, tuple(remarks), left_out)


def name_of(source: str) -> str:
    return f"source {source}" if source else "unnamed sources"


@dataclass(frozen=True)
class Doubts:
    """How many corrections of a source contradict what is known, or each other."""

    corrections: int
    contradicted: int
    """Those whose label is not that of a sure reading."""
    like: int
    """Those whose picture is very much like another one."""
    inconsistent: int
    """Those of them that have another label than the picture which they are most like."""

    @property
    def contradicts_readings(self) -> bool:
        return self.contradicted >= MIN_CONTRADICTED and self.contradicted > MAX_CONTRADICTED * self.corrections

    @property
    def contradicts_itself(self) -> bool:
        return self.like >= MIN_LIKE and self.inconsistent > MAX_INCONSISTENT * self.like

    def __str__(self) -> str:
        if self.contradicts_readings:
            share = self.contradicted / self.corrections
            return f"{share:.0%} contradict readings that are sure (at most {MAX_CONTRADICTED:.0%})"
        return (
            f"{self.inconsistent / self.like:.0%} of its pictures have another label than the one they are most like "
            f"(at most {MAX_INCONSISTENT:.0%})"
        )


def count_doubts(sent: Sequence[Correction], classifier: Classifier | None) -> Doubts:
    """Return what speaks against the corrections of a source.

    Args:
        sent: with labels, oldest first; not empty.
        classifier: the network that is believed where it is sure; None: there is none.
    """
    images = np.frombuffer(b"".join(c.image for c in sent), np.uint8).reshape(-1, SIDE, SIDE)
    labels = np.array([c.label for c in sent], np.uint8)
    contradicted = 0
    if classifier is not None:
        is_sure, digits = sure_readings(images, classifier)
        contradicted = int((is_sure & (digits != labels)).sum())
    like, inconsistent = _compared(images[-MAX_COMPARED:], labels[-MAX_COMPARED:])
    return Doubts(len(sent), contradicted, like, inconsistent)


def sure_readings(images: Images, classifier: Classifier) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which of the images (n, 28, 28) are read surely, and their digits."""
    probabilities, scores = classifier.read(images)
    is_sure: NDArray[np.bool_] = probabilities.max(axis=1) >= SURE
    if scores is not None:
        is_sure &= scores >= SURE_DIGIT
    return is_sure, probabilities.argmax(axis=1)


def _compared(images: Images, labels: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many pictures are like another one, and how many of them have another label than the nearest."""
    if len(images) < MIN_LIKE:
        return 0, 0
    apart = distances(images)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    is_like = apart.min(axis=1) < LIKE
    return int(is_like.sum()), int((is_like & (labels[nearest] != labels)).sum())


def distances(images: Images) -> Floats:
    """Return 1 - correlation of each two of the pictures (n, 28, 28), slightly blurred: (n, n)."""
    blurred = _blurred(images)
    apart: Floats = 1 - blurred @ blurred.T
    return apart


def _blurred(images: Images) -> Floats:
    """Return pictures (n, 784), slightly blurred, with a mean of 0 and a norm of 1."""
    pixels = images.astype(np.float32)
    for axis in (1, 2):
        around: Floats = np.roll(pixels, 1, axis) + 2 * pixels + np.roll(pixels, -1, axis)
        pixels = around / np.float32(4)
    flat = pixels.reshape(len(pixels), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    norms = np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1)
    return np.asarray(flat / norms, np.float32)
