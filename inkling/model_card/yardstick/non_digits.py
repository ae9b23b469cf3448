"""Pictures of one thing that is no digit, drawn by rules of their own: no font, no scan.

The twelve kinds of NON_DIGITS are none that the digit probe learns from (`training/data/non_digits.py`). Those of
RELATED are, in shapes of their own.
"""

import zlib
from collections.abc import Callable

import numpy as np

from inkling.digit import Gray
from inkling.model_card.drawings import render
from inkling.model_card.image_ops import smooth_noise, to_bytes
from inkling.model_card.stroke_templates import Points, parse_strokes, smooth
from inkling.model_card.yardstick.symbol_templates import (
    ANIMALS,
    HAN_PARTS,
    HAND_LETTERS,
    HOUSES,
    MUSIC,
    PLANTS,
    PUNCTUATION,
)

SIDE = 200
Draw = Callable[[np.random.Generator], Gray]


def non_digits(kind: str, count: int, seed: int = 0) -> list[Gray]:
    """Return `count` pictures (h, w) of a kind, half dark on light and half light on dark; same seed, same pictures."""
    pictures = []
    for i in range(count):
        random = np.random.default_rng([seed, zlib.crc32(kind.encode()), i])
        picture = (NON_DIGITS | RELATED)[kind](random)
        pictures.append(picture if i % 2 else 255 - picture)
    return pictures


def _hand_letter(random: np.random.Generator) -> Gray:
    """Return a letter as a pen writes it: one that no digit resembles."""
    return _template(str(random.choice(HAND_LETTERS)), random)


def _smiley(random: np.random.Generator) -> Gray:
    """Return a face: a circle, two eyes, a mouth that smiles or not, sometimes a nose."""
    mouth, nose = random.uniform(-0.18, 0.22), random.random() < 0.4
    eye = random.uniform(0.02, 0.05)
    curve = [(0.28, 0.66), (0.5, 0.66 + mouth), (0.72, 0.66)]
    paths = [_circle(0.5, 0.5, 0.5), np.array(curve)]
    paths += [_circle(x, 0.36, eye) for x in (0.33, 0.67)]
    paths += [np.array([(0.5, 0.45), (0.47, 0.56), (0.53, 0.56)])] * nose
    return _strokes(paths, random)


def _han_character(random: np.random.Generator) -> Gray:
    """Return something like a Chinese character: two or three parts, side by side or one above the other."""
    count = int(random.integers(1, 4))
    chosen = random.choice(HAN_PARTS, count, replace=False)
    is_beside = random.random() < 0.5
    paths = []
    for k, part in enumerate(chosen):
        low, span = k / count + 0.02, 1 / count - 0.06
        for path in _parse(str(part)):
            moved = path.copy()
            axis = 0 if is_beside else 1
            moved[:, axis] = low + moved[:, axis] * span
            paths.append(moved)
    return _strokes(paths, random, brush=random.uniform(0.04, 0.09))


def _note(random: np.random.Generator) -> Gray:
    """Return a musical sign: a note with filled or hollow heads, a clef, a sharp."""
    return _template(str(random.choice(MUSIC)), random)


def _arrow(random: np.random.Generator) -> Gray:
    """Return an arrow in any direction, straight or bent, with one head or two."""
    length, head = 1.0, random.uniform(0.2, 0.4)
    bend = random.uniform(-0.25, 0.25)
    shaft = smooth([np.array([(0.0, 0.5), (0.5, 0.5 + bend), (length, 0.5)])])
    heads = [np.array([(length - head, 0.5 - head * 0.7), (length, 0.5), (length - head, 0.5 + head * 0.7)])]
    if random.random() < 0.3:
        heads.append(np.array([(head, 0.5 - head * 0.7), (0.0, 0.5), (head, 0.5 + head * 0.7)]))
    turn = random.choice([0, 0.5, 1, 1.5]) * np.pi + random.normal(0, 0.25)
    return _strokes([_turn(path, turn) for path in (shaft, *heads)], random)


def _heart(random: np.random.Generator) -> Gray:
    """Return a heart, sometimes with an arrow or a second heart."""
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    heart = np.stack([x, y], axis=1) / 34 * (1, random.uniform(0.85, 1.15)) + 0.5
    paths = [heart]
    if random.random() < 0.3:
        paths.append(np.array([(-0.1, 0.9), (1.1, 0.1)]))
    elif random.random() < 0.3:
        paths.append((heart - 0.5) * 0.5 + 0.5)
    return _strokes(paths, random)


def _flag(random: np.random.Generator) -> Gray:
    """Return a flag on a pole: waving, with a cross, bars or a disk."""
    wave, tall = random.uniform(-0.08, 0.08), random.uniform(0.4, 0.6)
    x = np.linspace(0.12, 0.95, 20)
    top = np.stack([x, 0.04 + wave * np.sin((x - 0.12) * 7)], axis=1)
    low = top + np.array([0, tall])
    paths = [np.array([(0.12, 0.0), (0.12, 1.0)]), top, low, np.array([top[-1], low[-1]])]
    kind = random.integers(3)
    if kind == 0:
        paths += [np.array([top[8], low[8]]), (top + low) / 2]
    elif kind == 1:
        paths += [top + np.array([0, tall * part]) for part in (1 / 3, 2 / 3)]
    else:
        paths += [_circle(0.53, 0.04 + tall / 2, tall / 5)]
    return _strokes(paths, random)


def _texture(random: np.random.Generator) -> Gray:
    """Return a piece of a surface: weave, stones or stripes, in soft light."""
    y, x = np.indices((SIDE, SIDE)) / SIDE
    turn, pitch = random.uniform(0, np.pi), random.uniform(4, 14)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    kind = random.integers(3)
    if kind == 0:
        surface = np.sin(2 * np.pi * pitch * u) * np.sin(2 * np.pi * pitch * v)
    elif kind == 1:
        centers = random.random((int(random.integers(12, 50)), 2))
        distances = np.sort(np.hypot(x[..., np.newaxis] - centers[:, 0], y[..., np.newaxis] - centers[:, 1]), axis=2)
        surface = np.clip((distances[..., 1] - distances[..., 0]) * 25, 0, 1.5)
    else:
        surface = np.sin(2 * np.pi * pitch * (u + 0.05 * np.sin(9 * v)))
    light = smooth_noise(random, 1, cells=2, side=SIDE)[0]
    return to_bytes(0.45 + random.uniform(0.08, 0.3) * surface + 0.25 * light)


def _blobs(random: np.random.Generator) -> Gray:
    """Return what a photograph of things may be: soft blobs before a soft background, out of focus, with grain."""
    scene = smooth_noise(random, 1, cells=int(random.integers(2, 4)), side=SIDE)[0] * 0.4
    y, x = np.indices((SIDE, SIDE)) / SIDE
    for _ in range(random.integers(1, 5)):
        cx, cy, rx, ry = *random.uniform(0.2, 0.8, 2), *random.uniform(0.06, 0.3, 2)
        turn, sharp = random.uniform(0, np.pi), random.uniform(4, 30)
        dx, dy = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        inside = 1 / (1 + np.exp(np.clip(sharp * (np.hypot(dx / rx, dy / ry) - 1), -30, 30)))
        scene = scene * (1 - inside) + random.uniform(0, 1) * inside
    return to_bytes(scene + random.normal(0, 0.01, scene.shape))


def _barcode(random: np.random.Generator) -> Gray:
    """Return a barcode, or a small square code."""
    height, width = (SIDE, SIDE)
    picture = np.full((height, width), 255, np.uint8)
    if random.random() < 0.5:
        widths = random.integers(1, 5, int(random.integers(21, 36))) * int(random.integers(1, 3))
        bars = np.repeat(np.arange(len(widths)) % 2 == 0, widths)[: width - 40]
        top, left = int(random.integers(30, 60)), (width - len(bars)) // 2
        picture[top : height - top, left : left + len(bars)][:, bars] = 0
        return picture
    cells = int(random.integers(7, 15))
    code = np.kron(random.random((cells, cells)) < 0.5, np.ones((120 // cells, 120 // cells))).astype(bool)
    picture[40 : 40 + len(code), 40 : 40 + len(code)][code] = 0
    return picture


def _punctuation(random: np.random.Generator) -> Gray:
    """Return a mark: ? ! & @ # % and others, as a pen writes them."""
    return _template(str(random.choice(PUNCTUATION)), random)


def _signature(random: np.random.Generator) -> Gray:
    """Return a signature: loops that run to the right, with a tall first letter, often underlined."""
    count = int(random.integers(4, 9))
    t = np.linspace(0, count * 2 * np.pi, 40 * count)
    tall = np.interp(t, [0, 2 * np.pi, t[-1]], [random.uniform(0.4, 0.7), 0.16, random.uniform(0.04, 0.14)])
    tall *= 1 + 0.4 * np.interp(t, np.linspace(0, t[-1], 2 * count), random.normal(0, 1, 2 * count))
    x = t / t[-1] * random.uniform(1.2, 2.0) + tall * np.sin(t) * random.uniform(0.5, 1.2)
    y = 0.5 - tall * np.cos(t) - random.uniform(-0.1, 0.25) * t / t[-1]
    paths = [np.stack([x, y], axis=1)]
    if random.random() < 0.5:
        paths.append(np.array([(x.min(), 0.8), (x.max() * random.uniform(0.7, 1), 0.75)]))
    return _strokes(paths, random, brush=random.uniform(0.03, 0.07))


def _house(random: np.random.Generator) -> Gray:
    """Return a house, a hut or a castle."""
    return _template(str(random.choice(HOUSES)), random)


def _animal(random: np.random.Generator) -> Gray:
    """Return a fish, a cat, a snail, a butterfly, a dog or a bird."""
    return _template(str(random.choice(ANIMALS)), random)


def _plant(random: np.random.Generator) -> Gray:
    """Return a tree, a flower or a twig."""
    return _template(str(random.choice(PLANTS)), random)


NON_DIGITS: dict[str, Draw] = {
    "smileys": _smiley,
    "houses": _house,
    "animals": _animal,
    "plants": _plant,
    "musical signs": _note,
    "arrows": _arrow,
    "hearts": _heart,
    "flags": _flag,
    "blobs, as photographs": _blobs,
    "barcodes": _barcode,
    "punctuation": _punctuation,
    "signatures": _signature,
}
"""Every kind by its name in the model card."""
RELATED: dict[str, Draw] = {
    "hand letters": _hand_letter,
    "Chinese-like characters": _han_character,
    "textures": _texture,
}
"""Kinds that the digit probe learns from in other shapes; the card counts them apart."""


def _parse(template: str) -> list[Points]:
    return [smooth(stroke) for stroke in parse_strokes(template)]


def _template(template: str, random: np.random.Generator) -> Gray:
    return _strokes(_parse(template), random)


def _circle(x: float, y: float, radius: float) -> Points:
    t = np.linspace(0, 2 * np.pi, 40)
    circle: Points = np.stack([x + radius * np.cos(t), y + radius * np.sin(t)], axis=1)
    return circle


def _turn(path: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: Points = (path - 0.5) @ np.array([[cosine, sine], [-sine, cosine]])
    return turned


def _strokes(paths: list[Points], random: np.random.Generator, brush: float | None = None) -> Gray:
    """Return paths drawn by a trembling hand, dark on white, 0.4 to 0.8 of the canvas, with a round brush."""
    brush = brush or random.uniform(0.05, 0.13)
    turn = random.normal(0, 0.07)
    width = random.uniform(0.85, 1.15)
    moved = []
    for path in paths:
        tremble = random.normal(0, 0.02, (2, max(3, len(path) // 8)))
        place = np.linspace(0, tremble.shape[1] - 1, len(path))
        wobble = np.stack([np.interp(place, np.arange(tremble.shape[1]), knots) for knots in tremble], axis=1)
        moved.append(_turn((path + wobble + random.normal(0, 0.015, 2)) * (width, 1), turn))
    points = np.concatenate(moved)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    size = SIDE * random.uniform(0.4, 0.8)
    zoom = size / (span.max() * (1 + brush))
    room = SIDE - zoom * span
    corner = room * random.uniform(0.3, 0.7, 2)
    radius = max(1.0, brush * size / 2)
    return 255 - render([(path - low) * zoom + corner for path in moved], float(radius), (SIDE, SIDE))
