"""Synthetic digits, drawn as strokes in the handwriting styles of many countries, with thin and thick pens.

MNIST's writers are American and their pens alike. A network trained on MNIST only reads many a 1 with a flag as a 7,
and is less sure of strokes much thinner or thicker than MNIST's (docs/trials.md). So the recipe can add digits drawn
here to the training images.

Each digit consists of lines and arcs with random positions, lengths and angles. One unit is about the height of the
digit; x grows to the right, y down.
"""

from collections.abc import Callable

import numpy as np

from inkling.digit import SIDE, Gray
from inkling.mnist import Split, join
from training.data.pen import Curve, arc, bezier, draw

WIDTHS = (0.04, 0.22)
"""Width of the pen as a share of the digit's height, from and to. MNIST's strokes have about 0.1."""
SLANTS = (-0.15, 0.3)
"""Slant of a digit, units to the right per unit up, from and to: most people slant to the right."""
MAX_ROTATION = 10
"""Maximum rotation of a digit in either direction, in degrees."""
ASPECTS = (0.75, 1.25)
"""Horizontal scale of a digit, from and to."""
LABEL_CYCLE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 7)
"""The digits in the order in which they are drawn. 1 and 7 come twice: they are the most alike, and outside the USA
the most unlike MNIST's."""


class RandomStyle:
    """Random numbers in the forms that the digits below need. Owns their generator."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def between(self, low: float, high: float) -> float:
        return float(self._random.uniform(low, high))

    def about(self, value: float, spread: float = 0.03) -> float:
        return self.between(value - spread, value + spread)

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return bool(self._random.random() < probability)


def add_synthetic_digits(
    split: Split, share: float, seed: int, on_drawn: Callable[[int, int], None] = lambda done, total: None
) -> Split:
    """Return a split with synthetic digits at its end.

    Args:
        split: the images to add to.
        share: number of digits to add, as a share of the number of images, 0 or more.
        seed: seed of the random styles.
        on_drawn: called with the number of digits drawn so far, from 0, and with their total; 22,000 take 11 seconds.
    """
    labels = np.resize(LABEL_CYCLE, round(share * len(split))).astype(np.uint8)
    if not len(labels):
        return split
    random = np.random.default_rng(seed)
    images = np.empty((len(labels), SIDE, SIDE), np.uint8)
    on_drawn(0, len(labels))
    for i, label in enumerate(labels):
        images[i] = draw_digit(int(label), random)
        on_drawn(i + 1, len(labels))
    return join(split, Split(images, labels))


def draw_digit(digit: int, random: np.random.Generator) -> Gray:
    """Return an image (28, 28) of a digit in a random style, placed by MNIST's rule."""
    style = RandomStyle(random)
    curves = _DIGITS[digit](style)
    turn = np.deg2rad(style.about(0, MAX_ROTATION))
    slanted = np.array([[style.between(*ASPECTS), 0.0], [-style.between(*SLANTS), 1.0]])
    linear = slanted @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return draw([(curve + random.normal(0, 0.01, 2)) @ linear for curve in curves], style.between(*WIDTHS))


def _zero(style: RandomStyle) -> list[Curve]:
    sweep = style.between(320, 400) * (-1 if style.chance(0.8) else 1)
    return [arc((0, 0.5), (style.between(0.22, 0.45), 0.5), style.between(-140, -30), sweep)]


def _one(style: RandomStyle) -> list[Curve]:
    foot = style.about(0, 0.06)
    strokes = [bezier((0, 0), (style.about(foot / 2, 0.05), 0.5), (foot, 1))]
    if style.chance(0.15):
        return strokes
    length, angle = style.between(0.15, 0.45), np.deg2rad(style.between(25, 65))  # from the stem
    start = (-length * np.sin(angle), length * np.cos(angle))
    strokes.append(bezier(start, (start[0] / 2 + style.about(0, 0.04), start[1] / 2 + style.about(0, 0.04)), (0, 0)))
    if style.chance(0.35):
        left, right = style.between(0.15, 0.35), style.between(0.15, 0.35)
        strokes.append(bezier((foot - left, style.about(1, 0.02)), (foot + right, style.about(1, 0.02))))
    return strokes


def _two(style: RandomStyle) -> list[Curve]:
    width, radius = style.between(0.25, 0.38), style.between(0.2, 0.3)
    start, end = style.between(175, 240), style.between(360, 400)
    top = arc((width, radius), (width, radius), start, end - start)
    x, y = top[-1]
    if style.chance(0.3):  # a loop in the lower left corner
        reach = style.between(0.75, 1.05)
        return [
            top,
            bezier((x, y), (-0.3, style.about(1.3, 0.08)), (-0.2, style.about(0.7, 0.08)), (reach, style.about(1))),
        ]
    corner = (style.about(0, 0.06), style.about(0.98, 0.03))
    slope = bezier((x, y), (x - style.between(0, 0.1), y + style.between(0.1, 0.25)), corner)
    end_x, end_y = style.between(0.6, 0.95), style.about(1, 0.06)
    if style.chance(0.5):
        return [top, slope, bezier(corner, (end_x, end_y))]
    return [top, slope, bezier(corner, (0.3, style.between(0.8, 0.95)), (0.5, style.about(1.1)), (end_x, end_y))]


def _three(style: RandomStyle) -> list[Curve]:
    waist, left = style.between(0.4, 0.5), style.between(0.15, 0.32)
    width = style.between(0.28, 0.42)
    bottom = arc((left, (1 + waist) / 2), (width, (1 - waist) / 2), -90, style.between(190, 275))
    if style.chance(0.25):  # with a flat top
        corner = (left + style.about(0.3, 0.08), style.about(0))
        return [bezier((style.about(0), style.about(0.02)), corner), bezier(corner, (left, waist)), bottom]
    start = style.between(190, 260)
    top = arc((left, waist / 2), (style.between(0.22, 0.36), waist / 2), start, 450 - start)
    return [top, bottom]


def _four(style: RandomStyle) -> list[Curve]:
    bar, reach = style.between(0.48, 0.68), style.between(0.65, 0.95)
    stem = reach * style.between(0.65, 0.9)
    end = (reach, bar + style.about(0, 0.05))
    corner = (style.about(0), bar)
    foot = (stem - style.between(-0.03, 0.12), 1.0)
    if style.chance(0.4):  # closed above
        top = (stem + style.about(0), 0.0)
        start = style.between(0, 0.4) if style.chance(0.5) else 0.0
        return [bezier(top, corner), bezier(corner, end), bezier((stem, start), foot)]
    strokes = [bezier((stem + style.about(0), style.between(0, 0.3)), foot)]
    side = (style.between(0, 0.25), style.about(0))
    if style.chance(0.4):  # round below
        return [*strokes, bezier(side, (corner[0] - 0.05, bar * 1.15), (0.2, bar * 1.1), end)]
    return [*strokes, bezier(side, (style.about(0.04, 0.06), bar / 2), corner), bezier(corner, end)]


def _five(style: RandomStyle) -> list[Curve]:
    waist, width = style.between(0.36, 0.5), style.between(0.28, 0.42)
    left = style.about(0.08, 0.06)
    corner, shoulder = (left + style.about(0.03, 0.05), style.about(0.02)), (left, waist + style.between(0, 0.08))
    center = (left + width * style.between(0.55, 0.8), (waist + 1) / 2)
    start = style.between(215, 260)
    bowl = arc(center, (width, (1 - waist) / 2), start, style.between(480, 545) - start)
    x, y = bowl[0]
    end = (corner[0] + style.between(0.35, 0.7), corner[1] + style.about(0, 0.05))
    if style.chance(0.2):  # round above
        return [bezier(end, (corner[0], corner[1] - 0.02), corner, shoulder), bezier(shoulder, (x, y)), bowl]
    gap = style.about(0, 0.03) if style.chance(0.4) else 0.0  # the bar comes last, and meets the corner or not
    return [bezier((corner[0] + gap, corner[1]), end), bezier(corner, shoulder), bezier(shoulder, (x, y)), bowl]


def _six(style: RandomStyle) -> list[Curve]:
    width, height = style.between(0.22, 0.42), style.between(0.18, 0.3)
    middle = 1 - height
    top = (style.between(0.3, 1.7) * width, 0.0)
    if style.chance(0.35):  # a hook at the top
        top = (style.between(1.4, 2.4) * width, style.between(0, 0.14))
    back = bezier(top, (top[0] * style.between(0, 0.6), style.between(-0.1, 0.2)), (0, middle - 0.35), (0, middle))
    return [back, arc((width, middle), (width, height), 180, -style.between(280, 420))]


def _seven(style: RandomStyle) -> list[Curve]:
    width = style.between(0.55, 0.9)  # a narrower one might be a 1 with a flag
    left, right = (0.0, style.about(0.02, 0.08)), (width, 0.0)
    foot = (width * style.between(0.1, 0.6), 1.0)
    bend = (width * style.between(0.35, 0.9), style.between(0.3, 0.6))
    strokes = [bezier(left, (width / 2, style.about(0.01, 0.08)), right)]
    strokes.append(bezier(right, foot) if style.chance(0.4) else bezier(right, bend, foot))
    if style.chance(0.4):  # a bar across the stem
        x, y = strokes[-1][round(style.between(0.38, 0.62) * (len(strokes[-1]) - 1))]
        reach, tilt = style.between(0.12, 0.3), style.about(0, 0.06)
        strokes.append(bezier((x - reach, y + tilt), (x + reach * style.between(0.7, 1.2), y - tilt)))
    if style.chance(0.3):  # a serif
        strokes.append(bezier((style.about(0, 0.05), left[1] + style.between(0.08, 0.24)), left))
    return strokes


def _eight(style: RandomStyle) -> list[Curve]:
    waist = style.between(0.4, 0.52)
    upper, lower = style.between(0.18, 0.32), style.between(0.24, 0.4)
    if style.chance(0.35):  # two rings
        lap = style.between(0, 0.06)
        top = arc((0, waist / 2), (upper, waist / 2 + lap / 2), style.between(0, 360), style.between(330, 400))
        return [
            top,
            arc((0, (1 + waist) / 2), (lower, (1 - waist) / 2), style.between(200, 340), style.between(330, 400)),
        ]
    # In one stroke, that crosses itself at the waist: y goes down and up once, while x goes to both sides twice.
    angle = np.deg2rad(np.linspace(0, style.between(340, 385), 48) + style.between(-60, 30))
    y = (1 - np.cos(angle)) / 2
    x = -np.where(y < 0.5, upper, lower) * np.sin(2 * angle)
    y = np.where(y < 0.5, 2 * waist * y, waist + (2 * y - 1) * (1 - waist))
    return [np.stack([x * (1 if style.chance(0.8) else -1), y], axis=1)]


def _nine(style: RandomStyle) -> list[Curve]:
    width, height = style.between(0.2, 0.36), style.between(0.17, 0.29)
    bowl = arc((-width, height), (width, height), style.between(-110, -10), -style.between(290, 380))
    top = (style.about(0, 0.03), style.between(0, height))
    foot = (style.between(-0.3, 0.05), 1.0)
    if style.chance(0.35):  # a hook at the foot
        end = (-style.between(0.4, 0.75), style.between(0.82, 0.98))
        return [bowl, bezier(top, (0.03, 0.75), (-0.1, style.between(1, 1.2)), end)]
    if style.chance(0.5):
        return [bowl, bezier(top, foot)]
    return [bowl, bezier(top, (style.about(0.03, 0.04), style.between(0.4, 0.7)), foot)]


_DIGITS: tuple[Callable[[RandomStyle], list[Curve]], ...] = (
    _zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine,
)  # fmt: skip
