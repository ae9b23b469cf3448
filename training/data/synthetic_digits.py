"""Digits as people draw them with a pen, a mouse or a finger: as strokes, in the ways that hands of many places do.

MNIST's hands are American and its pens alike. A network that learns from it alone reads many a 1 with a flag as 7,
and is less sure of strokes much thinner or thicker than MNIST's (docs/trials.md). So some drawn digits are learned, too.

Each digit is built from lines and arcs, whose places, lengths and angles are left to chance. A unit is about the
digit's height; x goes to the right, y downwards.
"""

from collections.abc import Callable

import numpy as np

from inkling.digit import Gray
from inkling.mnist import Split
from training.data.pen import Curve, arc, bezier, draw

WIDTHS = (0.04, 0.22)
"""Of the pen, as shares of the height of the ink. MNIST's own strokes are about 0.1."""
SLANTS = (-0.15, 0.3)
"""Of a digit, units to the right a unit up: most people lean to the right."""
TURNS = 10
"""Most that a digit is turned, either way, degrees."""
ASPECTS = (0.75, 1.25)
"""A digit's widths, as shares of those that its lines have here."""
LABEL_CYCLE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 7)
"""Which digits are drawn, in turn: 1 and 7 twice, because no others are so alike, and so unlike MNIST's, elsewhere."""


class RandomStyle:
    """Chance, in the words that the digits below need. Owns its random numbers."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def between(self, low: float, high: float) -> float:
        return float(self._random.uniform(low, high))

    def about(self, value: float, spread: float = 0.03) -> float:
        return self.between(value - spread, value + spread)

    def does(self, share: float) -> bool:
        return bool(self._random.random() < share)


def add_synthetic_digits(split: Split, share: float, seed: int) -> Split:
    """Return a split with more images at its end, of LABEL_CYCLE in turn: as many as that share of its images, 0 or more."""
    labels = np.resize(LABEL_CYCLE, round(share * len(split)))
    if not len(labels):
        return split
    random = np.random.default_rng(seed)
    images = np.stack([draw_digit(int(label), random) for label in labels])
    return Split(np.concatenate([split.images, images]), np.concatenate([split.labels, labels.astype(np.uint8)]))


def draw_digit(digit: int, random: np.random.Generator) -> Gray:
    """Return an image (28, 28) of a digit as a hand might draw it, placed as MNIST's are."""
    hand = RandomStyle(random)
    curves = _DIGITS[digit](hand)
    turn = np.deg2rad(hand.about(0, TURNS))
    slanted = np.array([[hand.between(*ASPECTS), 0.0], [-hand.between(*SLANTS), 1.0]])
    linear = slanted @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return draw([(curve + random.normal(0, 0.01, 2)) @ linear for curve in curves], hand.between(*WIDTHS))


def _zero(hand: RandomStyle) -> list[Curve]:
    sweep = hand.between(320, 400) * (-1 if hand.does(0.8) else 1)
    return [arc((0, 0.5), (hand.between(0.22, 0.45), 0.5), hand.between(-140, -30), sweep)]


def _one(hand: RandomStyle) -> list[Curve]:
    foot = hand.about(0, 0.06)
    strokes = [bezier((0, 0), (hand.about(foot / 2, 0.05), 0.5), (foot, 1))]
    if hand.does(0.15):
        return strokes
    length, angle = hand.between(0.15, 0.45), np.deg2rad(hand.between(25, 65))  # from the stem
    start = (-length * np.sin(angle), length * np.cos(angle))
    strokes.append(bezier(start, (start[0] / 2 + hand.about(0, 0.04), start[1] / 2 + hand.about(0, 0.04)), (0, 0)))
    if hand.does(0.35):
        left, right = hand.between(0.15, 0.35), hand.between(0.15, 0.35)
        strokes.append(bezier((foot - left, hand.about(1, 0.02)), (foot + right, hand.about(1, 0.02))))
    return strokes


def _two(hand: RandomStyle) -> list[Curve]:
    width, radius = hand.between(0.25, 0.38), hand.between(0.2, 0.3)
    start, end = hand.between(175, 240), hand.between(360, 400)
    top = arc((width, radius), (width, radius), start, end - start)
    x, y = top[-1]
    if hand.does(0.3):  # a loop in the lower left corner
        reach = hand.between(0.75, 1.05)
        return [
            top,
            bezier((x, y), (-0.3, hand.about(1.3, 0.08)), (-0.2, hand.about(0.7, 0.08)), (reach, hand.about(1))),
        ]
    corner = (hand.about(0, 0.06), hand.about(0.98, 0.03))
    slope = bezier((x, y), (x - hand.between(0, 0.1), y + hand.between(0.1, 0.25)), corner)
    end_x, end_y = hand.between(0.6, 0.95), hand.about(1, 0.06)
    if hand.does(0.5):
        return [top, slope, bezier(corner, (end_x, end_y))]
    return [top, slope, bezier(corner, (0.3, hand.between(0.8, 0.95)), (0.5, hand.about(1.1)), (end_x, end_y))]


def _three(hand: RandomStyle) -> list[Curve]:
    waist, left = hand.between(0.4, 0.5), hand.between(0.15, 0.32)
    width = hand.between(0.28, 0.42)
    bottom = arc((left, (1 + waist) / 2), (width, (1 - waist) / 2), -90, hand.between(190, 275))
    if hand.does(0.25):  # with a flat top
        corner = (left + hand.about(0.3, 0.08), hand.about(0))
        return [bezier((hand.about(0), hand.about(0.02)), corner), bezier(corner, (left, waist)), bottom]
    start = hand.between(190, 260)
    top = arc((left, waist / 2), (hand.between(0.22, 0.36), waist / 2), start, 450 - start)
    return [top, bottom]


def _four(hand: RandomStyle) -> list[Curve]:
    bar, reach = hand.between(0.48, 0.68), hand.between(0.65, 0.95)
    stem = reach * hand.between(0.65, 0.9)
    end = (reach, bar + hand.about(0, 0.05))
    corner = (hand.about(0), bar)
    foot = (stem - hand.between(-0.03, 0.12), 1.0)
    if hand.does(0.4):  # closed above
        top = (stem + hand.about(0), 0.0)
        start = hand.between(0, 0.4) if hand.does(0.5) else 0.0
        return [bezier(top, corner), bezier(corner, end), bezier((stem, start), foot)]
    strokes = [bezier((stem + hand.about(0), hand.between(0, 0.3)), foot)]
    side = (hand.between(0, 0.25), hand.about(0))
    if hand.does(0.4):  # round below
        return [*strokes, bezier(side, (corner[0] - 0.05, bar * 1.15), (0.2, bar * 1.1), end)]
    return [*strokes, bezier(side, (hand.about(0.04, 0.06), bar / 2), corner), bezier(corner, end)]


def _five(hand: RandomStyle) -> list[Curve]:
    waist, width = hand.between(0.36, 0.5), hand.between(0.28, 0.42)
    left = hand.about(0.08, 0.06)
    corner, shoulder = (left + hand.about(0.03, 0.05), hand.about(0.02)), (left, waist + hand.between(0, 0.08))
    center = (left + width * hand.between(0.55, 0.8), (waist + 1) / 2)
    start = hand.between(215, 260)
    bowl = arc(center, (width, (1 - waist) / 2), start, hand.between(480, 545) - start)
    x, y = bowl[0]
    end = (corner[0] + hand.between(0.35, 0.7), corner[1] + hand.about(0, 0.05))
    if hand.does(0.2):  # round above
        return [bezier(end, (corner[0], corner[1] - 0.02), corner, shoulder), bezier(shoulder, (x, y)), bowl]
    gap = hand.about(0, 0.03) if hand.does(0.4) else 0.0  # the bar comes last, and meets the corner or not
    return [bezier((corner[0] + gap, corner[1]), end), bezier(corner, shoulder), bezier(shoulder, (x, y)), bowl]


def _six(hand: RandomStyle) -> list[Curve]:
    width, height = hand.between(0.22, 0.42), hand.between(0.18, 0.3)
    middle = 1 - height
    top = (hand.between(0.3, 1.7) * width, 0.0)
    if hand.does(0.35):  # a hook at the top
        top = (hand.between(1.4, 2.4) * width, hand.between(0, 0.14))
    back = bezier(top, (top[0] * hand.between(0, 0.6), hand.between(-0.1, 0.2)), (0, middle - 0.35), (0, middle))
    return [back, arc((width, middle), (width, height), 180, -hand.between(280, 420))]


def _seven(hand: RandomStyle) -> list[Curve]:
    width = hand.between(0.55, 0.9)  # a narrower one might be a 1 with a flag
    left, right = (0.0, hand.about(0.02, 0.08)), (width, 0.0)
    foot = (width * hand.between(0.1, 0.6), 1.0)
    bend = (width * hand.between(0.35, 0.9), hand.between(0.3, 0.6))
    strokes = [bezier(left, (width / 2, hand.about(0.01, 0.08)), right)]
    strokes.append(bezier(right, foot) if hand.does(0.4) else bezier(right, bend, foot))
    if hand.does(0.4):  # a bar across the stem
        x, y = strokes[-1][round(hand.between(0.38, 0.62) * (len(strokes[-1]) - 1))]
        reach, tilt = hand.between(0.12, 0.3), hand.about(0, 0.06)
        strokes.append(bezier((x - reach, y + tilt), (x + reach * hand.between(0.7, 1.2), y - tilt)))
    if hand.does(0.3):  # a serif
        strokes.append(bezier((hand.about(0, 0.05), left[1] + hand.between(0.08, 0.24)), left))
    return strokes


def _eight(hand: RandomStyle) -> list[Curve]:
    waist = hand.between(0.4, 0.52)
    upper, lower = hand.between(0.18, 0.32), hand.between(0.24, 0.4)
    if hand.does(0.35):  # two rings
        lap = hand.between(0, 0.06)
        top = arc((0, waist / 2), (upper, waist / 2 + lap / 2), hand.between(0, 360), hand.between(330, 400))
        return [
            top,
            arc((0, (1 + waist) / 2), (lower, (1 - waist) / 2), hand.between(200, 340), hand.between(330, 400)),
        ]
    # In one stroke, that crosses itself at the waist: y goes down and up once, while x goes to both sides twice.
    angle = np.deg2rad(np.linspace(0, hand.between(340, 385), 48) + hand.between(-60, 30))
    y = (1 - np.cos(angle)) / 2
    x = -np.where(y < 0.5, upper, lower) * np.sin(2 * angle)
    y = np.where(y < 0.5, 2 * waist * y, waist + (2 * y - 1) * (1 - waist))
    return [np.stack([x * (1 if hand.does(0.8) else -1), y], axis=1)]


def _nine(hand: RandomStyle) -> list[Curve]:
    width, height = hand.between(0.2, 0.36), hand.between(0.17, 0.29)
    bowl = arc((-width, height), (width, height), hand.between(-110, -10), -hand.between(290, 380))
    top = (hand.about(0, 0.03), hand.between(0, height))
    foot = (hand.between(-0.3, 0.05), 1.0)
    if hand.does(0.35):  # a hook at the foot
        end = (-hand.between(0.4, 0.75), hand.between(0.82, 0.98))
        return [bowl, bezier(top, (0.03, 0.75), (-0.1, hand.between(1, 1.2)), end)]
    if hand.does(0.5):
        return [bowl, bezier(top, foot)]
    return [bowl, bezier(top, (hand.about(0.03, 0.04), hand.between(0.4, 0.7)), foot)]


_DIGITS: tuple[Callable[[RandomStyle], list[Curve]], ...] = (
    _zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine,
)  # fmt: skip
