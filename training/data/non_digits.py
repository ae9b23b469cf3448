"""Pictures that show no digit, 28x28 and placed as MNIST's digits are: the counterexamples of the digit probe.

Letters, invented glyphs, scribbles, shapes, patterns and several digits at once. Curves are in a unit square, x to the
right and y down; a pen of random width draws them. Letters and shapes that many people write like a digit (O, I, l, S,
Z, B, b, g, q, a ring, a single stroke) are left out.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from inkling.digit import DIGIT_SIDE, SIDE, Gray, Images
from inkling.model_card.stroke_templates import parse_strokes, smooth
from training.data.pen import Curve, centered

OVERSAMPLING = 4
MARGIN = (SIDE - DIGIT_SIDE) // 2
WIDTHS = (0.05, 0.2)
"""Width of the pen as a share of the drawing's longer side, from and to."""
MAX_SLANT, MAX_ROTATION, ASPECTS = 0.3, 15, (0.7, 1.3)

Random = np.random.Generator

LETTERS = (
    "0,100 0,100 50,0 50,0 100,100 | 20,62 80,62",
    "0,100 0,100 45,0 45,0 90,100 | 10,70 80,65",
    "90,10 50,0 8,45 45,100 92,88",
    "90,0 90,0 8,0 8,0 8,100 8,100 90,100 | 8,50 75,50",
    "85,2 30,8 30,44 70,48 30,52 12,88 50,100 88,90",
    "90,0 90,0 8,0 8,0 8,100 | 8,48 75,48",
    "8,0 8,100 | 90,0 90,100 | 8,50 90,50",
    "10,0 10,100 | 85,0 85,0 12,55 12,55 88,100",
    "10,0 10,0 10,100 10,100 75,100",
    "0,100 0,100 15,0 15,0 50,70 50,70 85,0 85,0 100,100",
    "0,100 8,30 20,30 30,100 30,100 38,30 60,30 64,100 64,100 72,30 92,30 98,100",
    "10,100 10,100 10,0 10,0 85,100 85,100 85,0",
    "10,100 10,100 10,0 10,0 70,8 80,35 10,52",
    "10,100 10,100 10,0 10,0 70,6 76,34 12,50 12,50 85,100",
    "0,4 100,0 | 50,0 50,100",
    "8,0 10,75 50,100 85,75 88,0",
    "0,0 0,0 45,100 45,100 90,0",
    "0,0 0,0 22,100 22,100 50,30 50,30 76,100 76,100 100,0",
    "0,0 100,100 | 100,0 0,100",
    "0,0 0,0 45,50 | 90,0 90,0 30,100",
    "80,30 40,18 6,60 34,98 78,70 82,28 82,28 84,98 100,90",
    "10,60 86,56 70,16 24,26 8,64 40,100 90,84",
    "86,10 52,0 36,30 34,100 | 6,42 76,42",
    "12,0 12,100 12,100 14,56 50,40 76,60 78,100",
    "12,0 12,100 | 74,36 74,36 14,68 14,68 80,100",
    "8,30 10,100 10,100 16,44 56,30 82,52 84,100",
    "10,30 12,100 | 12,60 40,32 80,36",
    "44,0 42,80 62,100 86,88 | 10,30 84,30",
    "8,30 12,84 48,100 80,76 84,30 84,30 86,100",
    "4,30 4,30 44,100 44,100 84,30",
    "0,30 20,98 48,44 76,98 100,30",
    "80,0 80,0 76,84 40,100 14,76 | 60,0 96,0",
    "10,0 10,0 14,56 50,64 84,40 84,0 84,0 80,96 30,100 14,84",
    "0,60 20,20 34,60 14,90 30,70 50,24 62,62 44,90 60,70 80,26 92,60 100,84",
    "0,90 26,50 30,0 14,20 16,90 46,60 60,0 46,10 46,90 80,70 84,0 72,10 74,90 100,80",
)
"""Latin letters and joined letters, as strokes separated by |, of points x,y in percent of the height."""


def draw_non_digits(count: int, digits: Images, seed: int) -> tuple[Images, NDArray[np.str_]]:
    """Return images (count, 28, 28) without a digit, of each kind in turn, and their kinds (count,).

    Args:
        count: number of images.
        digits: images of digits (n, 28, 28), n at least 1, for those that show several.
        seed: the same seed draws the same images.
    """
    kinds = list(KINDS)
    random = np.random.default_rng([seed, 5])
    names = np.resize(kinds, count)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for i, name in enumerate(names):
        images[i] = KINDS[name](random, digits)
    return images, names


def draw_strokes(curves: list[Curve], width: float, blur: float = 0) -> Gray:
    """Return the image (28, 28) of curves drawn with a round pen, placed by MNIST's rule.

    Args:
        curves: paths of the pen (n, 2), in any unit.
        width: width of the pen as a share of the drawing's longer side, 0 to 1.
        blur: standard deviation of a Gaussian blur, in pixels.
    """
    points = np.concatenate(curves)
    low, spans = points.min(axis=0), np.ptp(points, axis=0)
    pen = width * DIGIT_SIDE
    zoom = (DIGIT_SIDE - pen) / max(spans.max(), 1e-6)
    corner = (SIDE - zoom * spans) / 2
    canvas = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
    draw, radius = ImageDraw.Draw(canvas), pen * OVERSAMPLING / 2
    for curve in curves:
        path = [(x, y) for x, y in (((curve - low) * zoom + corner) * OVERSAMPLING).tolist()]
        draw.line(path, fill=255, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (path[0], path[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return _finished(canvas, blur)


def _finished(canvas: Image.Image, blur: float) -> Gray:
    image = np.asarray(canvas.reduce(OVERSAMPLING).filter(ImageFilter.GaussianBlur(blur)))
    return centered(np.rint(image * (255 / max(1, image.max()))).astype(np.uint8))


def in_random_hand(curves: list[Curve], random: Random) -> Gray:
    """Return the image of curves that are slanted, turned, stretched and shaken, drawn with a pen of random width."""
    turn, slant = np.deg2rad(random.uniform(-MAX_ROTATION, MAX_ROTATION)), random.uniform(-MAX_SLANT / 2, MAX_SLANT)
    shape = np.array([[random.uniform(*ASPECTS), 0.0], [-slant, 1.0]])
    linear = shape @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = [(curve + random.normal(0, 0.02, 2)) @ linear for curve in curves]
    return draw_strokes(moved, random.uniform(*WIDTHS), random.uniform(0, 0.8))


def _letter(random: Random, digits: Images) -> Gray:
    strokes = parse_strokes(LETTERS[random.integers(len(LETTERS))])
    return in_random_hand(
        [smooth([piece + random.normal(0, 0.03, piece.shape) for piece in stroke], 6) for stroke in strokes], random
    )


def _glyph(random: Random, digits: Images) -> Gray:
    """Return a glyph that nobody writes: two to six lines, bends and arcs between places of a grid."""
    return in_random_hand([_random_stroke(random) for _ in range(random.integers(2, 7))], random)


def _random_stroke(random: Random) -> Curve:
    start, end, bend = random.integers(0, 4, (3, 2)) / 3 + random.normal(0, 0.06, (3, 2))
    if random.random() < 0.5:
        return np.array([start, end])
    if random.random() < 0.6:
        return smooth([np.array([start, bend, end])], 8)
    return _arc(bend, random.uniform(0.1, 0.4, 2), random.uniform(0, 360), random.uniform(120, 360))


def _arc(center: Curve, radii: Curve, start: float, sweep: float) -> Curve:
    angle = np.deg2rad(np.linspace(start, start + sweep, 24))
    return center + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii


def _mirrored_glyph(random: Random, digits: Images) -> Gray:
    """Return strokes and their mirror image, as in many signs and letters; some upright, some lying."""
    strokes = [_random_stroke(random) * (0.5, 1) for _ in range(random.integers(1, 4))]
    strokes += [stroke * (-1, 1) for stroke in strokes]
    if random.random() < 0.5:
        strokes.append(np.stack([np.zeros(2), random.uniform(0, 1, 2)], axis=1))
    if random.random() < 0.4:
        strokes = [stroke[:, ::-1] for stroke in strokes]
    return in_random_hand(strokes, random)


def _dotted_glyph(random: Random, digits: Images) -> Gray:
    """Return one or two strokes, and one to four dots or dashes apart from them."""
    strokes = [_random_stroke(random) for _ in range(random.integers(1, 3))]
    for _ in range(random.integers(1, 5)):
        dash = random.normal(0, 0.06, 2)
        strokes.append(random.uniform(-0.2, 1.2, 2) + np.array([-dash, dash]))
    return in_random_hand(strokes, random)


def _curl(random: Random, digits: Images) -> Gray:
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


def _ideogram(random: Random, digits: Images) -> Gray:
    """Return four to ten level, upright and slanted strokes, as in characters of East Asia."""
    strokes = []
    for _ in range(random.integers(4, 11)):
        middle = random.uniform(0, 1, 2)
        length, kind = random.uniform(0.2, 0.6), random.integers(4)
        along = np.array([(length, 0), (0, length), (length / 2, length / 2), (-length / 2, length / 2)][kind])
        strokes.append(np.stack([middle - along, middle + along]) + random.normal(0, 0.02, (2, 2)))
    return in_random_hand(strokes, random)


def _scribble(random: Random, digits: Images) -> Gray:
    points = random.uniform(0, 1, (random.integers(7, 26), 2))
    return in_random_hand([smooth([points], 8)], random)


def _zigzag(random: Random, digits: Images) -> Gray:
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


def _shape(random: Random, digits: Images) -> Gray:
    """Return a polygon or a star of 3 to 8 corners, an arrow, or a cross; or an outline with marks inside."""
    kind, corners = random.integers(4), int(random.integers(3, 9))
    start = random.uniform(0, 6.3)
    if kind == 0:
        corners = 3 + corners % 2  # more corners make a ring
        angle = start + 2 * np.pi * np.arange(corners + 1) / corners
        return in_random_hand([np.stack([np.cos(angle), np.sin(angle)], 1)], random)
    if kind == 1:
        angle = start + np.pi * np.arange(2 * corners + 1) / corners
        radius = np.where(np.arange(len(angle)) % 2, random.uniform(0.3, 0.6), 1)[:, np.newaxis]
        return in_random_hand([np.stack([np.cos(angle), np.sin(angle)], 1) * radius], random)
    if kind == 2:
        count = int(random.integers(3, 7))
        ends = start + 2 * np.pi * np.arange(count) / count
        rays = [np.array([(0, 0), (np.cos(a), np.sin(a))]) * random.uniform(0.5, 1) for a in ends]
        return in_random_hand(rays, random)
    outline = _arc(np.array([0.5, 0.5]), np.array([0.5, random.uniform(0.35, 0.5)]), 0, 360)
    if random.random() < 0.5:
        outline = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], np.float64)
    marks = [0.2 + 0.6 * _random_stroke(random) for _ in range(random.integers(1, 4))]
    return in_random_hand([outline, *marks], random)


def _blot(random: Random, digits: Images) -> Gray:
    """Return one to three filled polygons or ellipses."""
    canvas = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
    draw = ImageDraw.Draw(canvas)
    low, high = MARGIN * OVERSAMPLING, (SIDE - MARGIN) * OVERSAMPLING
    for _ in range(random.integers(1, 4)):
        points = [tuple(point) for point in random.uniform(low, high, (int(random.integers(2, 7)), 2)).tolist()]
        if len(points) == 2:
            draw.ellipse([*np.sort(points, axis=0).ravel().tolist()], fill=255)
        else:
            draw.polygon(points, fill=255)
    return _finished(canvas, random.uniform(0, 1.5))


def _pattern(random: Random, digits: Images) -> Gray:
    """Return stripes, squares, dots, rings, a gradient, noise or clouds, in the digit's box or the whole image."""
    y, x = np.indices((SIDE, SIDE)).astype(np.float64)
    angle, period, phase = random.uniform(0, np.pi), random.uniform(3, 12), random.uniform(0, 6.3, 2)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    waves = [np.sin(2 * np.pi * along / period + shift) for along, shift in zip((u, v), phase, strict=True)]
    kind = random.integers(8)
    noise = random.random((SIDE, SIDE))
    levels = [
        waves[0],
        waves[0] * waves[1],
        np.maximum(waves[0], waves[1]) * 4 - 3,
        np.minimum(waves[0], waves[1]) * 4 - 2,
        np.sin(2 * np.pi * np.hypot(x - 13.5, y - 13.5) / period + phase[0]),
        u / 14 - random.uniform(0, 1),
        (noise < random.uniform(0.05, 0.6)) * 2.0 - 1,
        noise * 2 - 1,
    ][kind]
    contrast = random.choice([1, 4])
    image = np.rint(255 * np.clip(0.5 + 0.5 * contrast * levels, 0, 1)).astype(np.uint8)
    if random.random() < 0.6:
        image = np.pad(image[MARGIN:-MARGIN, MARGIN:-MARGIN], MARGIN)
    return image


def _flat(random: Random, digits: Images) -> Gray:
    """Return one gray level, black in half of the cases, with or without grain."""
    level = 0 if random.random() < 0.5 else random.integers(0, 256)
    grain = random.normal(0, random.choice([0, 0, 2, 8]), (SIDE, SIDE))
    return np.clip(np.rint(level + grain), 0, 255).astype(np.uint8)


def _several_digits(random: Random, digits: Images) -> Gray:
    """Return two or three digits side by side, scaled to one digit's box."""
    chosen = digits[random.integers(0, len(digits), 2 + int(random.random() < 0.4))]
    gap = int(random.integers(2, 6))
    row = np.concatenate([digit[:, gap:-gap] for digit in chosen], axis=1)
    image = Image.fromarray(row)
    box = image.point(lambda level: 255 * (level > 64)).getbbox() or (0, 0, *image.size)
    zoom = DIGIT_SIDE / max(box[2] - box[0], box[3] - box[1])
    size = (max(1, round((box[2] - box[0]) * zoom)), max(1, round((box[3] - box[1]) * zoom)))
    small = np.asarray(image.crop(box).resize(size, Image.Resampling.BOX))
    placed = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    placed[top : top + size[1], left : left + size[0]] = small
    return centered(placed)


KINDS: dict[str, Callable[[Random, Images], Gray]] = {
    "letters": _letter,
    "invented glyphs": _glyph,
    "mirrored glyphs": _mirrored_glyph,
    "dotted glyphs": _dotted_glyph,
    "curls": _curl,
    "ideograms": _ideogram,
    "scribbles": _scribble,
    "zigzags and spirals": _zigzag,
    "shapes": _shape,
    "blots": _blot,
    "patterns": _pattern,
    "flat": _flat,
    "several digits": _several_digits,
}
"""Every kind by its name in a checkpoint's card."""
