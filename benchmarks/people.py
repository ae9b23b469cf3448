"""Simulated people: each writes digits in a hand of one's own, beyond what the recipes draw and distort."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inkling.digit import SIDE, Gray
from inkling.mnist import Split
from training.data.pen import Curve, arc, bezier, draw

Shape = list[Curve]

SHAPES: tuple[tuple[Callable[[], Shape], ...], ...] = (
    (
        lambda: [arc((0.3, 0.5), (0.3, 0.5), -90, 360), bezier((0, 1), (0.6, 0))],  # slashed
        lambda: [arc((0.3, 0.5), (0.12, 0.5), -90, 330)],
        lambda: [arc((0.4, 0.6), (0.4, 0.4), 200, 380), bezier((0.05, 0.45), (0.5, 0.15), (0.7, 0))],  # with a tail
    ),
    (
        lambda: [bezier((0, 0.6), (0.45, 0)), bezier((0.45, 0), (0.45, 1))],  # a flag that reaches far down
        lambda: [bezier((0, 0.25), (0.35, 0)), bezier((0.35, 0), (0.3, 1)), bezier((0, 1), (0.7, 1))],
        lambda: [bezier((0.15, 0.1), (0.3, 0), (0.1, 0.9), (0.4, 1))],
    ),
    (
        lambda: [bezier((0, 0), (0.6, 0)), bezier((0.6, 0), (0, 1)), bezier((0, 1), (0.7, 1))],  # as a Z
        lambda: [
            bezier((0, 0.3), (0.3, -0.3), (1, 0.3), (0, 1)), bezier((0, 1), (0.25, 0.75), (0.45, 1.1), (0.7, 0.9)),
        ],
        lambda: [bezier((0, 0.2), (0.9, -0.3), (0.4, 0.7), (-0.2, 0.9)), arc((0.05, 0.9), (0.15, 0.1), 90, 400)],
    ),
    (
        lambda: [bezier((0, 0), (0.6, 0)), bezier((0.6, 0), (0.2, 0.4)), arc((0.2, 0.7), (0.35, 0.3), -90, 230)],
        lambda: [bezier((0, 0), (0.6, 0.2), (0.1, 0.5)), bezier((0.1, 0.5), (0.8, 0.7), (0, 1))],
        lambda: [bezier((0.5, 0), (0, 0.2), (0.5, 0.45)), bezier((0.5, 0.45), (-0.1, 0.7), (0.6, 1))],  # as an E
    ),
    (
        lambda: [bezier((0.4, 0), (0, 0.5)), bezier((0, 0.5), (0.6, 0.5)), bezier((0.6, 0.1), (0.3, 1))],
        lambda: [bezier((0.1, 0), (0, 0.6), (0.6, 0.55)), bezier((0.6, 0), (0.6, 1))],
        lambda: [bezier((0.5, 0), (0, 0.7)), bezier((0, 0.7), (0.7, 0.7)), bezier((0.5, 0), (0.5, 1))],
    ),
    (
        lambda: [bezier((0.6, 0), (0.1, 0), (0, 0.4)), bezier((0, 0.4), (0.9, 0.4), (0.6, 1), (0, 1))],  # as an S
        lambda: [
            bezier((0.1, 0), (0.05, 0.45)), arc((0.2, 0.7), (0.35, 0.3), -120, 250), bezier((0.1, 0), (0.8, -0.1)),
        ],
        lambda: [
            bezier((0.5, 0), (0, 0)), bezier((0, 0), (0, 0.5)), bezier((0, 0.5), (0.6, 0.5)),
            bezier((0.6, 0.5), (0.6, 1), (0, 1)),
        ],
    ),
    (
        lambda: [bezier((0.6, 0), (0, 0.3), (0, 0.8)), arc((0.25, 0.8), (0.25, 0.2), 180, -360)],
        lambda: [bezier((0.1, 0), (0, 0.8)), arc((0.3, 0.7), (0.3, 0.3), 180, 360)],  # as a b
        lambda: [arc((0.35, 0.5), (0.35, 0.5), -60, -250), arc((0.3, 0.75), (0.22, 0.2), 60, -300)],
    ),
    (
        lambda: [bezier((0, 0), (0.6, 0)), bezier((0.6, 0), (0.1, 1)), bezier((0.05, 0.6), (0.6, 0.5))],
        lambda: [bezier((0, 0.3), (0, 0), (0.6, 0.05)), bezier((0.6, 0.05), (0.5, 0.5), (0.5, 1))],
        lambda: [bezier((0, 0), (0.1, 0.2), (0.3, -0.1), (0.6, 0)), bezier((0.6, 0), (0, 0.5), (0.2, 1))],
    ),
    (
        lambda: [
            bezier((0, 0), (0.6, 1)), bezier((0.6, 1), (0, 1)), bezier((0, 1), (0.6, 0)), bezier((0.6, 0), (0, 0)),
        ],
        lambda: [arc((0.3, 0.2), (0.2, 0.2), 90, 360), arc((0.3, 0.7), (0.3, 0.3), -90, 360)],
        lambda: [
            bezier((0.6, 0.1), (-0.3, 0), (0.9, 0.9), (0.2, 1)), bezier((0.2, 1), (-0.4, 0.8), (0.5, 0.4), (0.6, 0)),
        ],
    ),
    (
        lambda: [arc((0.25, 0.25), (0.25, 0.25), 0, -360), bezier((0.5, 0.25), (0.5, 1))],
        lambda: [arc((0.3, 0.3), (0.3, 0.3), 0, -330), bezier((0.6, 0.2), (0.7, 1.2), (0, 1))],  # as a g
        lambda: [bezier((0.6, 0.1), (-0.2, -0.1), (0, 0.6), (0.6, 0.3)), bezier((0.6, 0.1), (0.2, 1))],
    ),
)  # fmt: skip
"""Some shapes of each digit, in units of its height, x to the right and y down; a person always writes the same one."""


@dataclass(frozen=True)
class Person:
    """A hand: the habits of a writer, from a seed."""

    seed: int

    def write(self, labels: list[int], seed: int) -> Split:
        """Return digits in this hand, of which each is a little different: images (n, 28, 28) with their labels."""
        habits, random = np.random.default_rng([self.seed, 1]), np.random.default_rng([self.seed, 2, seed])
        shapes = [int(habits.integers(len(shapes))) for shapes in SHAPES]
        angle, slant = habits.uniform(-20, 20), habits.uniform(-0.45, 0.45)
        aspect, width = np.exp(habits.uniform(-0.35, 0.35)), habits.uniform(0.05, 0.2)
        bend, is_dashed = habits.normal(0, 0.07, 4), habits.random() < 0.3

        def write_one(digit: int) -> Gray:
            turn = np.deg2rad(angle + random.normal(0, 3))
            rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            linear = np.array([[aspect * np.exp(random.normal(0, 0.08)), 0], [-slant + random.normal(0, 0.05), 1]])
            curves = [_bent(curve, bend) + random.normal(0, 0.02, 2) for curve in SHAPES[digit][shapes[digit]]()]
            curves = [curve + random.normal(0, 0.01, curve.shape) for curve in curves]
            if is_dashed:
                curves = [
                    piece for curve in curves for piece in (curve[: len(curve) // 2], curve[len(curve) // 2 + 2 :])
                ]
            return draw([curve @ linear @ rotation for curve in curves], width * np.exp(random.normal(0, 0.1)))

        images = np.array([write_one(digit) for digit in labels], np.uint8).reshape(-1, SIDE, SIDE)
        return Split(images, np.array(labels, np.uint8))


def _bent(curve: Curve, bend: Curve) -> Curve:
    """Return a curve bent as a person bends every stroke: by sine waves over the height and the width of the digit."""
    x, y = curve.T
    waves = bend[0] * np.sin(np.pi * y) + bend[1] * np.sin(2 * np.pi * y), bend[2] * np.sin(np.pi * x) + bend[3] * x * y
    return curve + np.stack(waves, axis=1)
