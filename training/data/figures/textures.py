"""Pictures without strokes: filled areas, patterns, noise, one gray level."""

import numpy as np
from PIL import Image, ImageDraw

from inkling.digit import SIDE, Gray, Images
from training.data.figures.hand import MARGIN, OVERSAMPLING, Random, finished


def blot(random: Random, digits: Images) -> Gray:
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
    return finished(canvas, random.uniform(0, 1.5))


def pattern(random: Random, digits: Images) -> Gray:
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


def flat(random: Random, digits: Images) -> Gray:
    """Return one gray level, black in half of the cases, with or without grain."""
    level = 0 if random.random() < 0.5 else random.integers(0, 256)
    grain = random.normal(0, random.choice([0, 0, 2, 8]), (SIDE, SIDE))
    return np.clip(np.rint(level + grain), 0, 255).astype(np.uint8)
