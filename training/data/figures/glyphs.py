"""Glyphs that nobody writes, curls, scribbles and waves, drawn with a pen."""

import numpy as np

from inkling.digit import Gray, Images
from inkling.model_card.stroke_templates import smooth
from training.data.figures.hand import Random, circular_arc, in_random_hand
from training.data.pen import Curve


def glyph(random: Random, digits: Images) -> Gray:
    """Return a glyph that nobody writes: two to six lines, bends and arcs between places of a grid."""
    return in_random_hand([random_stroke(random) for _ in range(random.integers(2, 7))], random)


def random_stroke(random: Random) -> Curve:
    start, end, bend = random.integers(0, 4, (3, 2)) / 3 + random.normal(0, 0.06, (3, 2))
    if random.random() < 0.5:
        return np.array([start, end])
    if random.random() < 0.6:
        return smooth([np.array([start, bend, end])], 8)
    return circular_arc(bend, random.uniform(0.1, 0.4, 2), random.uniform(0, 360), random.uniform(120, 360))


def mirrored_glyph(random: Random, digits: Images) -> Gray:
    """Return strokes and their mirror image, as in many signs and letters; some upright, some lying."""
    strokes = [random_stroke(random) * (0.5, 1) for _ in range(random.integers(1, 4))]
    strokes += [stroke * (-1, 1) for stroke in strokes]
    if random.random() < 0.5:
        strokes.append(np.stack([np.zeros(2), random.uniform(0, 1, 2)], axis=1))
    if random.random() < 0.4:
        strokes = [stroke[:, ::-1] for stroke in strokes]
    return in_random_hand(strokes, random)


def dotted_glyph(random: Random, digits: Images) -> Gray:
    """Return one or two strokes, and one to four dots or dashes apart from them."""
    strokes = [random_stroke(random) for _ in range(random.integers(1, 3))]
    for _ in range(random.integers(1, 5)):
        dash = random.normal(0, 0.06, 2)
        strokes.append(random.uniform(-0.2, 1.2, 2) + np.array([-dash, dash]))
    return in_random_hand(strokes, random)


def curl(random: Random, digits: Images) -> Gray:
    """Return one or two strokes that bend and curl at random, as a pen writes scripts that one cannot read.

    The direction of the pen turns smoothly; sometimes sharply.
    """
    strokes = []
    for _ in range(random.integers(1, 3)):
        bends = random.normal(0, 1, int(random.integers(3, 8))) * random.uniform(1, 4)
        turns = np.interp(np.linspace(0, len(bends) - 1, 48), np.arange(len(bends)), bends) * 5 / 48
        turns[random.integers(4, 44)] += random.choice([0, 0, 2, -2])
        direction = random.uniform(0, 2 * np.pi) + np.cumsum(turns)
        steps = np.stack([np.cos(direction), np.sin(direction)], 1) * random.uniform(0.5, 1) / 20
        strokes.append(random.uniform(0, 0.4, 2) + np.cumsum(steps, axis=0))
    return in_random_hand(strokes, random)


def ideogram(random: Random, digits: Images) -> Gray:
    """Return four to ten level, upright and slanted strokes, as in characters of East Asia."""
    strokes = []
    for _ in range(random.integers(4, 11)):
        middle = random.uniform(0, 1, 2)
        length, kind = random.uniform(0.2, 0.6), random.integers(4)
        along = np.array([(length, 0), (0, length), (length / 2, length / 2), (-length / 2, length / 2)][kind])
        strokes.append(np.stack([middle - along, middle + along]) + random.normal(0, 0.02, (2, 2)))
    return in_random_hand(strokes, random)


def scribble(random: Random, digits: Images) -> Gray:
    points = random.uniform(0, 1, (random.integers(7, 26), 2))
    return in_random_hand([smooth([points], 8)], random)


def zigzag(random: Random, digits: Images) -> Gray:
    """Return a wave, a zigzag or a spiral."""
    turns, t = random.uniform(2, 6), np.linspace(0, 1, 64)
    kind = random.integers(3)
    if kind == 0:
        return in_random_hand(
            [_upright_or_level(np.stack([t, 0.3 * np.sin(2 * np.pi * turns * t)], 1), random)], random
        )
    if kind == 1:
        x = np.arange(int(turns) + 3) / (turns + 2)
        y = np.where(np.arange(len(x)) % 2, random.uniform(0.3, 1), 0) + random.normal(0, 0.06, len(x))
        return in_random_hand([_upright_or_level(np.stack([x, y], 1), random)], random)
    angle = 2 * np.pi * turns * t * random.choice([-1, 1]) + random.uniform(0, 6)
    return in_random_hand([np.stack([np.cos(angle), np.sin(angle)], 1) * (t + 0.05)[:, np.newaxis]], random)


def _upright_or_level(curve: Curve, random: Random) -> Curve:
    return curve if random.random() < 0.5 else curve[:, ::-1]


def composed_glyph(random: Random, digits: Images) -> Gray:
    """Return one to three stems in a row, each with bars, bows, loops, tails or dots, as in many scripts."""
    strokes, x = [], 0.0
    for _ in range(random.integers(1, 4)):
        top, bottom = random.choice([0, 0.3, 0.5]), random.choice([0.7, 1, 1.25])
        strokes.append(np.array([(x, top), (x + random.normal(0, 0.05), bottom)]))
        for _ in range(random.integers(1, 3)):
            place = np.array([x, random.uniform(top, bottom)])
            strokes.append(_part(place, (top, bottom), random))
        x += random.uniform(0.3, 0.6)
    return in_random_hand(strokes, random)


def _part(place: Curve, span: tuple[float, float], random: Random) -> Curve:
    """Return what grows out of a stem at a place, to the left or right of it."""
    side, size = random.choice([-1, 1]), random.uniform(0.15, 0.35)
    outward = np.array([side * size, 0.0])
    beside = place + outward
    kind = random.integers(6)
    if kind == 0:
        return np.array([place, beside + outward + np.array([0, random.normal(0, 0.08)])])
    if kind == 1:
        return circular_arc(place, np.array([size * side, size]), -90, 180)
    if kind == 2:
        return circular_arc(beside, np.array([size, 0.9 * size]), 0, 360)
    if kind == 3:
        x, bottom = place[0], span[1]
        return smooth([np.array([(x, bottom), (x + side * size, bottom + 0.2), (x + 2 * side * size, bottom)])], 8)
    if kind == 4:
        return np.array([place, (beside[0], random.choice(span))])
    return beside + np.array([(0, 0), (0.03, 0)])
