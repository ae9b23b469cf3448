"""Corrections that simulated people send, and poisoned ones."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from benchmarks.people import Person
from inkling.digit import NUM_CLASSES
from inkling.mnist import Split
from inkling.network.classifier import Classifier
from inkling.registry.records import Correction


def correction(image: bytes, *, label: int, digit: int, source: str) -> Correction:
    return Correction(
        id=0,
        image=image,
        label=label,
        version=1,
        digit=digit,
        confidence=None,
        is_correct=label == digit,
        source=source,
        created_at=datetime.now(UTC),
    )


def write_digits(person: Person, count: int, seed: int) -> Split:
    """Return digits of a person: 0 to 9 in turn."""
    return person.write([i % NUM_CLASSES for i in range(count)], seed)


def wrong_first(drawn: Split, classifier: Classifier, source: str) -> list[Correction]:
    """Return a correction of each digit, with its label: of wrong answers, then of right ones."""
    digits = classifier.probabilities(drawn.images).argmax(axis=1)
    return [
        correction(drawn.images[i].tobytes(), label=int(drawn.labels[i]), digit=int(digits[i]), source=source)
        for i in np.argsort(digits == drawn.labels, kind="stable")
    ]


def poison(corrections: Sequence[Correction], share: float, seed: int) -> list[Correction]:
    """Return corrections of which a random share have a wrong label: the next digit."""
    random = np.random.default_rng([seed, 3])
    chosen = set(random.permutation(len(corrections))[: round(share * len(corrections))].tolist())
    return [
        replace(correction, label=((correction.label or 0) + 1) % NUM_CLASSES) if i in chosen else correction
        for i, correction in enumerate(corrections)
    ]
