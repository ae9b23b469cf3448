"""Digits as people draw them on a canvas: strokes of a round brush, in seeded random handwriting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from inkling.digit import Gray
from inkling.model_card.stroke_templates import STROKE_TEMPLATES, Points, parse_strokes, smooth

BRUSHES = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
"""Widths of the brush, as shares of the digit's height, strokes included. MNIST's own strokes are about 0.1."""

CANVASES = ((280, 280), (280, 280), (200, 200), (140, 140), (400, 300), (300, 400))
"""Sizes (width, height) in pixels; 280x280 is the most common on web pages that read MNIST digits."""

SUPERSAMPLING = 3


@dataclass(frozen=True)
class Drawing:
    picture: Gray  # (height, width), 0 black to 255 white
    label: int  # the digit meant, 0 to 9
    template: str  # a name in STROKE_TEMPLATES[label]
    brush: float  # width of the stroke, as a share of the digit's height
    is_light_on_dark: bool
    seed: tuple[int, int]  # of the random handwriting


def draw_digits(count: int, seed: int = 0) -> Iterator[Drawing]:
    """Yield drawings of 0 to 9 in turn; each ten use the next of BRUSHES. Everything else is random."""
    for i in range(count):
        yield draw_digit(i % 10, BRUSHES[i // 10 % len(BRUSHES)], (seed, i))


def draw_digit(digit: int, brush: float, seed: tuple[int, int], *, is_varied: bool = True) -> Drawing:
    """Return a digit drawn at a random position on a canvas; it fills 0.35 to 0.85 of the canvas.

    Args:
        digit: 0 to 9.
        brush: width of the brush, as a share of the digit's height.
        seed: of the handwriting; it does not depend on the brush.
        is_varied: False draws the stroke template itself, at the same position of the same canvas.
    """
    random = np.random.default_rng(seed)
    templates = STROKE_TEMPLATES[digit]
    name = list(templates)[random.integers(len(templates))]
    template = [smooth(stroke) for stroke in parse_strokes(templates[name])]
    varied = vary(template, random)  # also if it is not used, so that the random numbers after it are the same
    paths = varied if is_varied else template
    width, height = CANVASES[random.integers(len(CANVASES))]
    paths, radius = _place(paths, brush, (width, height), random)
    is_light_on_dark = bool(random.random() < 0.5)
    strokes = render(paths, radius, (width, height))
    return Drawing(strokes if is_light_on_dark else 255 - strokes, digit, name, brush, is_light_on_dark, seed)


def vary(paths: list[Points], random: np.random.Generator) -> list[Points]:
    """Return paths in random handwriting.

    The whole digit becomes 0.75 to 1.2 times as wide, is slanted by -0.15 to 0.35 (most people lean right), rotated by
    up to 10 degrees and bent slightly. Each stroke is shifted, its ends are extended or cut, and it wobbles.
    """
    shear, turn = random.uniform(-0.15, 0.35), np.deg2rad(np.clip(random.normal(0, 4), -10, 10))
    aspect = random.uniform(0.75, 1.2)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[aspect, -shear], [0, 1]]
    )
    bend = random.normal(0, 0.06, (2, 2, 2))  # (bent axis, along axis, sine and cosine)
    varied = []
    for path in paths:
        points = _move_ends(path, random)
        points = points + random.normal(0, 0.015, 2) + _wobble(len(points), random)
        wave = np.pi * (points - 0.5)
        # 2 / pi is the mean of the cosine.
        points = points + np.sin(wave) @ bend[:, :, 0].T + (np.cos(wave) - 2 / np.pi) @ bend[:, :, 1].T
        varied.append((points - 0.5) @ linear.T)
    return varied


def _move_ends(path: Points, random: np.random.Generator) -> Points:
    """Return a path whose ends are extended or cut by up to 0.06 of its length."""
    changes = random.uniform(-0.06, 0.06, 2) * len(path)
    first, last = (max(0, round(float(-change))) for change in changes)
    cut = path[first : len(path) - last]
    head = cut[:1] + (cut[0] - cut[1]) * max(0.0, changes[0])
    tail = cut[-1:] + (cut[-1] - cut[-2]) * max(0.0, changes[1])
    return np.concatenate([head, cut, tail])


def _wobble(count: int, random: np.random.Generator) -> Points:
    """Return smooth random offsets (count, 2) of standard deviation 0.015, as of a hand on a mouse or a screen."""
    knots = random.normal(0, 0.015, (2, max(3, count // 10)))
    place = np.linspace(0, knots.shape[1] - 1, count)
    return np.stack([np.interp(place, np.arange(knots.shape[1]), knot) for knot in knots], axis=1)


def _place(
    paths: list[Points], brush: float, size: tuple[int, int], random: np.random.Generator
) -> tuple[list[Points], float]:
    """Return paths in pixels, at a random position on a canvas (width, height), and the brush's radius in pixels."""
    points = np.concatenate(paths)
    low, spans = points.min(axis=0), np.ptp(points, axis=0)
    share = random.uniform(0.35, 0.85)
    width = brush / (1 - brush) * spans[1]  # then it is that share of the height, brush included
    zoom = float(share * np.min(np.array(size) / (spans + width)))
    room = np.array(size) - zoom * (spans + width)
    corner = room * random.uniform(0.02, 0.98, 2) + zoom * width / 2
    return [(path - low) * zoom + corner for path in paths], zoom * width / 2


def render(paths: list[Points], radius: float, size: tuple[int, int]) -> Gray:
    """Return the strokes (height, width), 0 to 255, of a round brush along paths, anti-aliased."""
    large = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
    draw = ImageDraw.Draw(large)
    for path in paths:
        points = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in path.tolist()]
        draw.line(points, fill=255, width=max(1, round(2 * radius * SUPERSAMPLING)))
        for point in points:
            draw.circle(point, radius * SUPERSAMPLING, fill=255)  # round caps and joins
    return np.asarray(large.reduce(SUPERSAMPLING))
