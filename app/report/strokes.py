"""Digits as people draw them on a canvas: strokes of a round brush, along the shapes that hands commonly make.

The shapes follow what is taught in schools and seen on forms on both sides of the Atlantic: a 1 that is a bare stroke,
has a flag, or a flag and a foot; a 7 with and without a bar; an open and a closed 4; a 2 with and without a loop; a 9
that ends straight or curls. They were chosen by what people do, before any network had read one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]

BRUSHES = (0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
"""Widths of the brush, as shares of the height of the digit's ink. MNIST's own strokes are about 0.1."""

CANVASES = ((280, 280), (280, 280), (200, 200), (140, 140), (400, 300), (300, 400))
"""Sizes (width, height) in pixels; 280x280 is the commonest on MNIST pages."""

SUPERSAMPLING = 3

SHAPES: dict[int, tuple[str, ...]] = {
    0: (
        "50,0 22,10 4,50 20,90 50,100 80,88 96,50 78,8 50,0",
        "60,2 30,6 8,45 14,88 40,100 72,84 88,40 74,6 52,0 40,8",
        "48,0 16,22 12,70 40,100 74,86 84,40 66,4 48,2",
        "72,10 46,0 18,16 6,55 24,94 56,98 86,72 88,30 64,4",
    ),
    1: (
        "50,0 50,100",
        "62,0 50,50 38,100",
        "22,26 22,26 50,0 50,0 50,50 50,100",
        "30,20 30,20 54,0 54,0 50,60 46,100",
        "24,24 24,24 50,0 50,0 50,100 | 24,100 76,100",
    ),
    2: (
        "8,24 24,4 54,0 80,16 80,38 50,68 8,100 8,100 50,98 90,100",
        "10,18 38,0 74,8 82,32 62,62 28,88 10,94 14,78 34,80 60,96 92,92",
        "6,30 30,2 70,4 78,34 46,72 6,98 6,98 88,98",
        "14,12 44,0 76,14 70,42 38,76 6,98 6,98 30,90 62,98 90,90",
    ),
    3: (
        "12,12 40,0 74,8 78,30 42,46 42,46 80,58 86,82 50,100 10,88",
        "8,20 34,0 70,10 66,36 38,46 38,46 74,58 78,86 44,100 8,86",
        "10,2 10,2 80,2 80,2 40,42 40,42 80,56 84,84 48,100 8,88",
        "16,8 52,0 76,18 62,40 40,48 66,52 86,72 66,96 32,100 6,88",
    ),
    4: (
        "22,0 12,32 6,58 6,58 50,56 92,56 | 66,16 64,60 60,100",
        "62,0 62,0 6,66 6,66 96,66 | 64,0 62,100",
        "58,0 58,0 4,62 4,62 92,62 | 68,34 64,100",
        "16,4 14,34 24,52 60,48 76,34 | 80,2 76,50 70,100",
        "10,2 8,50 8,50 86,48 | 80,0 78,100",
        "70,100 70,100 70,0 70,0 8,64 8,64 96,64",
    ),
    5: (
        "80,0 80,0 24,2 24,2 18,42 18,42 52,34 82,54 78,86 46,100 10,90",
        "22,4 22,4 18,44 18,44 56,36 86,62 70,94 34,100 6,86 | 22,4 82,2",
        "86,2 86,2 34,4 34,4 22,40 52,40 74,60 66,90 34,100 4,90",
        "78,4 50,2 26,8 18,44 44,38 76,54 76,86 44,100 8,88",
    ),
    6: (
        "66,0 34,20 10,58 14,88 44,100 74,86 76,64 50,52 22,62 10,76",
        "50,0 22,30 8,70 24,98 60,98 78,76 62,56 32,60 14,82",
        "80,6 48,4 20,34 8,72 26,98 62,98 82,76 64,54 34,58 14,74",
        "36,0 22,40 16,78 36,100 66,94 74,70 54,58 30,68 22,86",
    ),
    7: (
        "8,4 8,4 84,2 84,2 58,48 40,100",
        "6,6 6,6 82,4 82,4 52,50 36,100 | 28,52 80,48",
        "8,20 8,20 12,4 12,4 50,6 88,0 88,0 60,44 46,100",
        "4,4 44,8 80,2 66,36 48,70 44,100",
        "10,2 10,2 86,2 86,2 34,100 | 34,50 86,52",
    ),
    8: (
        "76,14 44,0 18,18 32,40 66,58 82,82 50,100 16,84 30,60 64,40 78,18 70,8",
        "50,46 20,30 30,4 66,2 80,26 50,46 14,68 22,96 70,98 84,70 50,46",
        "52,0 22,12 28,38 60,54 78,80 50,100 18,82 34,56 68,36 74,12 52,0",
        "50,0 24,10 24,34 50,44 76,34 76,10 50,0 | 50,44 18,58 16,88 50,100 84,88 82,58 50,44",
    ),
    9: (
        "78,20 52,0 20,14 14,40 42,52 72,38 80,12 78,12 76,60 66,100",
        "76,8 42,0 14,22 24,48 60,44 78,14 78,14 74,100",
        "78,16 46,0 16,20 24,48 58,46 80,20 82,56 66,92 36,100 14,88",
        "74,24 50,2 22,16 22,42 48,48 72,28 78,4 78,4 70,54 52,100",
    ),
}
"""Shapes of each digit, as strokes parted by |, each of points x,y in percent of the digit's height; y points down.

A stroke runs smoothly through its points, and turns sharply at a point that is given twice.
"""


@dataclass(frozen=True)
class Drawing:
    picture: NDArray[np.uint8]  # (height, width), 0 black to 255 white
    label: int  # the digit meant, 0 to 9
    brush: float  # width of the stroke, as a share of the height of the digit's ink
    is_inverted: bool  # whether light ink lies on a dark ground


def draw_digits(count: int, seed: int = 0) -> Iterator[Drawing]:
    """Yield drawings of 0 to 9 in turn, each ten by the next of BRUSHES; all else is left to chance, as to a hand."""
    for i in range(count):
        yield draw_digit(i % 10, BRUSHES[i // 10 % len(BRUSHES)], np.random.default_rng([seed, i]))


def draw_digit(digit: int, brush: float, random: np.random.Generator) -> Drawing:
    """Return a digit drawn somewhere on a canvas, its ink 0.35 to 0.85 of what the canvas holds."""
    shapes = SHAPES[digit]
    paths = vary([smooth(stroke) for stroke in strokes(shapes[random.integers(len(shapes))])], random)
    width, height = CANVASES[random.integers(len(CANVASES))]
    paths, radius = _place(paths, brush, (width, height), random)
    is_inverted = bool(random.random() < 0.5)
    ink = render(paths, radius, (width, height))
    return Drawing(ink if is_inverted else 255 - ink, digit, brush, is_inverted)


def strokes(shape: str) -> list[list[Points]]:
    """Return the strokes of a shape, each as its smooth pieces: points (n, 2), x and y in heights of the digit."""
    result = []
    for stroke in shape.split(" | "):
        points = [[float(number) / 100 for number in pair.split(",")] for pair in stroke.split()]
        pieces: list[list[list[float]]] = [[]]
        for point in points:
            if pieces[-1] and pieces[-1][-1] == point:
                pieces.append([])
            pieces[-1].append(point)
        result.append([np.array(piece) for piece in pieces if len(piece) > 1])
    return result


def smooth(pieces: list[Points], steps: int = 10) -> Points:
    """Return a stroke's path (m, 2): through its pieces' points by Catmull-Rom splines, `steps` a point.

    Uniform Catmull-Rom (Catmull and Rom 1974): between p1 and p2 the tangents are half of p2 - p0 and of p3 - p1.
    """
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    path = []
    for points in pieces:
        before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
        padded = np.vstack([before, points, after])
        for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
            bend = p0 - 2.5 * p1 + 2 * p2 - p3 / 2
            path.append(p1 + t * (p2 - p0) / 2 + t**2 * bend + t**3 * (p3 - p0 + 3 * (p1 - p2)) / 2)
        path.append(points[-1:])
    return np.concatenate(path)


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
        hand = hand + np.sin(wave) @ bend[:, :, 0].T + (np.cos(wave) - 0.64) @ bend[:, :, 1].T
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
