"""`python -m benchmarks.learning limits`: what the limits of training.set_aside and of the gate let through.

They are chosen on people who score nothing in `benchmarks.learning`: those from 100 on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.corrections import poison, write_digits, wrong_first
from benchmarks.people import Person
from benchmarks.verdicts import Log
from inkling.mnist import Split
from inkling.model_card.markdown import table
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from training.promotion import ENOUGH, MAX_PER_SOURCE, MIN_READ
from training.set_aside import (
    LIKE,
    MAX_CONTRADICTED,
    MAX_INCONSISTENT,
    SURE,
    Doubts,
    count_doubts,
    distances,
    sure_readings,
)

FIRST_PERSON = 100
DRAWN = 2000
"""Digits that each person draws, to find wrong answers."""
SENT = 50
"""Corrections of each person, unless the source is a flood."""
FLOOD = 1000
WRONG = (0, 0.1, 0.3, 0.5)
"""Shares of wrong labels."""
COMPARED = 200
"""Training images whose distances are measured."""


@dataclass(frozen=True)
class Row:
    """What the limits say about the corrections of each of some people."""

    name: str
    doubts: list[Doubts]

    def cells(self) -> list[str]:
        contradicted = [found.contradicted / found.corrections for found in self.doubts]
        inconsistent = [found.inconsistent / max(found.like, 1) for found in self.doubts]
        return [
            self.name,
            str(len(self.doubts)),
            str(sum(found.contradicts_readings for found in self.doubts)),
            str(sum(found.contradicts_itself for found in self.doubts)),
            str(sum(found.contradicts_readings or found.contradicts_itself for found in self.doubts)),
            *(
                f"{np.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"
                for shares in (contradicted, inconsistent)
            ),
        ]


def measure_limits(shipped: Checkpoint, people: int, log: Log) -> list[Row]:
    """Return a row for each kind of corrections: of wrong answers only, some with wrong labels; and of floods."""
    classifier = Classifier(shipped, 0)
    rows = [Row(f"{SENT} wrong answers, {share:.0%} of the labels wrong", []) for share in WRONG]
    flood = Row(f"{FLOOD:,} digits, all labels wrong", [])
    for number in range(FIRST_PERSON, FIRST_PERSON + people):
        drawn, source = write_digits(Person(number), DRAWN, seed=1), f"person-{number}"
        flooded = wrong_first(Split(drawn.images[:FLOOD], drawn.labels[:FLOOD]), classifier, source)
        flood.doubts.append(count_doubts(poison(flooded, 1, number), classifier))
        wrong = [found for found in wrong_first(drawn, classifier, source) if not found.is_correct][:SENT]
        log(f"person {number}: {len(wrong)} wrong answers of {DRAWN}")
        if len(wrong) == SENT:
            for row, share in zip(rows, WRONG, strict=True):
                row.doubts.append(count_doubts(poison(wrong, share, number), classifier))
    return [*rows, flood]


def limits_table(rows: Sequence[Row]) -> str:
    header = (
        "corrections",
        "people",
        f"over {MAX_CONTRADICTED:.0%} against sure readings",
        f"over {MAX_INCONSISTENT:.0%} against each other",
        "set aside",
        "share against sure readings, median",
        "share against each other, median",
    )
    return table(header, [row.cells() for row in rows])


def describe_readings(shipped: Checkpoint, held_out: Split) -> str:
    """Return how often the network is sure of held-out images, and how often wrongly."""
    is_sure, digits = sure_readings(held_out.images, Classifier(shipped, 0))
    wrong = digits != held_out.labels
    return (
        f"Readings surer than {SURE}: {is_sure.mean():.3f} of {len(held_out):,} held-out images; "
        f"{(is_sure & wrong).sum()} of the {wrong.sum()} that are misread"
    )


def describe_distances(train: Split) -> str:
    """Return how many pairs of training images are very much alike, and how many of them show two digits."""
    near = np.triu(distances(train.images[:COMPARED]) < LIKE, 1)
    differs = train.labels[:COMPARED, None] != train.labels[None, :COMPARED]
    return (
        f"Pairs of {COMPARED} training images nearer than {LIKE}: {near.sum()}, "
        f"of which {(near & differs).sum()} show two digits"
    )


def gate_table() -> str:
    """Return the chance that a version which reads every picture rightly passes the gate's floor on a source.

    Of the source's labels a share is wrong, at random, so that the number it reads as labeled is binomial.
    """
    shares = WRONG[1:]
    rows = [
        [str(count), *(f"{_chance_of(math.ceil(MIN_READ * count), count, 1 - share):.3f}" for share in shares)]
        for count in (ENOUGH, 2 * ENOUGH, MAX_PER_SOURCE)
    ]
    return table(("held-out pictures", *(f"{share:.0%} of the labels wrong" for share in shares)), rows)


def _chance_of(least: int, count: int, probability: float) -> float:
    """Return the chance of `least` successes or more among `count`."""
    return sum(math.comb(count, k) * probability**k * (1 - probability) ** (count - k) for k in range(least, count + 1))
