"""Digits as people draw them on a canvas: strokes of a round brush, each by another hand."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkling.model_card.stroke_templates import SHAPES, Points, smooth, strokes

BRUSHES = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
"""Widths of the brush, as shares of the height of the digit's ink. MNIST's own strokes are about 0.1."""

CANVASES = ((280, 280), (280, 280), (200, 200), (140, 140), (400, 300), (300, 400))
"""Sizes (width, height) in pixels; 280x280 is the commonest on MNIST pages."""

SUPERSAMPLING = 3


@dataclass(frozen=True)
class Drawing:
    picture: NDArray[np.uint8]  # (height, width), 0 black to 255 white
    label: int  # the digit meant, 0 to 9
    shape: str  # of SHAPES[label]
    brush: float  # width of the stroke, as a share of the height of the digit's ink
    is_inverted: bool  # whether light ink lies on a dark ground
    seed: tuple[int, int]  # of the hand that drew it


def draw_digits(count: int, seed: int = 0) -> Iterator[Drawing]:
    """Yield drawings of 0 to 9 in turn, each ten by the next of BRUSHES; all else is left to chance, as to a hand."""
    for i in range(count):
        yield draw_digit(i % 10, BRUSHES[i // 10 % len(BRUSHES)], (seed, i))


def draw_digit(digit: int, brush: float, seed: tuple[int, int], *, is_varied: bool = True) -> Drawing:
    """Return a digit drawn somewhere on a canvas, its ink 0.35 to 0.85 of what the canvas holds.

    The same seed is the same hand, whatever the brush; not `is_varied`, it draws the shape as it is taught.
    """
    random = np.random.default_rng(seed)
    shape = list(SHAPES[digit])[random.integers(len(SHAPES[digit]))]
    taught = [smooth(stroke) for stroke in strokes(SHAPES[digit][shape])]
    varied = vary(taught, random)
    paths = varied if is_varied else taught
    width, height = CANVASES[random.integers(len(CANVASES))]
    paths, radius = _place(paths, brush, (width, height), random)
    is_inverted = bool(random.random() < 0.5)
    ink = render(paths, radius, (width, height))
    return Drawing(ink if is_inverted else 255 - ink, digit, shape, brush, is_inverted, seed)


def vary(paths: list[Points], random: np.random.Generator) -> list[Points]:
    """Return paths as another hand would draw them.

    The whole digit is made 0.75 to 1.2 times as wide, slanted by -0.15 to 0.35 (most people lean right), turned by up
    to 10 degrees and bent a little; each stroke is moved, ends early or late, and wobbles.
    """
    shear, turn = random.uniform(-0.15, 0.35), np.deg2rad(np.clip(random.normal(0, 4), -10, 10))
    aspect = random.uniform(0.75, 1.2)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[aspect, -shear], [0, 1]]
    )
    bend = random.normal(0, 0.06, (2, 2, 2))  # of which axis; along which axis; how: sine's and cosine's share
    varied = []
    for path in paths:
        hand = _end_elsewhere(path, random)
        hand = hand + random.normal(0, 0.015, 2) + _wobble(len(hand), random)
        wave = np.pi * (hand - 0.5)
        hand = hand + np.sin(wave) @ bend[:, :, 0].T + (np.cos(wave) - 2 / np.pi) @ bend[:, :, 1].T  # 2/pi: the mean
        varied.append((hand - 0.5) @ linear.T)
    return varied


def _end_elsewhere(path: Points, random: np.random.Generator) -> Points:
    """Return a path that starts and ends up to 0.06 of its length early or late."""
    changes = random.uniform(-0.06, 0.06, 2) * len(path)
    first, last = (max(0, round(float(-change))) for change in changes)
    cut = path[first : len(path) - last]
    head = cut[:1] + (cut[0] - cut[1]) * max(0.0, changes[0])
    tail = cut[-1:] + (cut[-1] - cut[-2]) * max(0.0, changes[1])
    return np.concatenate([head, cut, tail])


def _wobble(count: int, random: np.random.Generator) -> Points:
    """Return offsets (count, 2) that wander smoothly by some 0.015, as a hand on a mouse or a screen does."""
    knots = random.normal(0, 0.015, (2, max(3, count // 10)))
    place = np.linspace(0, knots.shape[1] - 1, count)
    return np.stack([np.interp(place, np.arange(knots.shape[1]), knot) for knot in knots], axis=1)


def _place(
    paths: list[Points], brush: float, size: tuple[int, int], random: np.random.Generator
) -> tuple[list[Points], float]:
    """Return paths in pixels, somewhere on a canvas (width, height), and the brush's radius in pixels."""
    everything = np.concatenate(paths)
    low, spans = everything.min(axis=0), np.ptp(everything, axis=0)
    share = random.uniform(0.35, 0.85)
    width = brush / (1 - brush) * spans[1]  # so that the brush is that share of the ink's height, brush and all
    zoom = float(share * np.min(np.array(size) / (spans + width)))
    room = np.array(size) - zoom * (spans + width)
    corner = room * random.uniform(0.02, 0.98, 2) + zoom * width / 2
    return [(path - low) * zoom + corner for path in paths], zoom * width / 2


def render(paths: list[Points], radius: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the ink (height, width), 0 to 255, of a round brush along paths; anti-aliased."""
    large = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
    draw = ImageDraw.Draw(large)
    for path in paths:
        points = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in path.tolist()]
        draw.line(points, fill=255, width=max(1, round(2 * radius * SUPERSAMPLING)))
        for point in points:
            draw.circle(point, radius * SUPERSAMPLING, fill=255)  # round caps, and joints without notches
    return np.asarray(large.reduce(SUPERSAMPLING))
