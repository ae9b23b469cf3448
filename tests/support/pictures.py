"""Seeded pictures of digits, drawn in NumPy alone: the same bits with every version of Pillow and its fonts."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray

Points = list[tuple[float, float]]

STROKES: dict[int, list[Points]] = {
    0: [[(0.5, 0.0), (0.85, 0.2), (0.9, 0.6), (0.5, 1.0), (0.15, 0.8), (0.1, 0.3), (0.5, 0.0)]],
    1: [[(0.3, 0.2), (0.55, 0.0), (0.5, 1.0)]],
    2: [[(0.1, 0.2), (0.4, 0.0), (0.8, 0.15), (0.75, 0.45), (0.1, 1.0), (0.9, 0.95)]],
    3: [[(0.15, 0.05), (0.8, 0.1), (0.4, 0.45), (0.85, 0.7), (0.5, 1.0), (0.1, 0.9)]],
    4: [[(0.6, 0.0), (0.1, 0.6), (0.9, 0.6)], [(0.7, 0.3), (0.65, 1.0)]],
    5: [[(0.85, 0.0), (0.25, 0.05), (0.2, 0.45), (0.7, 0.45), (0.8, 0.75), (0.4, 1.0), (0.1, 0.9)]],
    6: [[(0.75, 0.0), (0.25, 0.45), (0.2, 0.8), (0.5, 1.0), (0.8, 0.8), (0.6, 0.55), (0.22, 0.7)]],
    7: [[(0.1, 0.05), (0.9, 0.0), (0.45, 1.0)]],
    8: [[(0.5, 0.48), (0.2, 0.25), (0.5, 0.0), (0.8, 0.22), (0.2, 0.75), (0.5, 1.0), (0.82, 0.78), (0.5, 0.48)]],
    9: [[(0.8, 0.25), (0.45, 0.5), (0.2, 0.25), (0.5, 0.0), (0.8, 0.2), (0.65, 1.0)]],
}
"""Each digit as polylines of x and y, 0 to 1, y downwards."""


def draw_strokes(digit: int, height: int, pen: float) -> NDArray[np.float64]:
    """Return a digit (height, 0.8 height), 0 background to 1 foreground, with soft edges of one pixel.

    Args:
        digit: 0 to 9.
        height: in pixels.
        pen: width of the pen, in pixels.
    """
    width = height * 4 // 5
    y, x = np.mgrid[:height, :width].astype(np.float64)
    scale, margin = np.array([width - 1 - pen, height - 1 - pen]), pen / 2
    nearest = np.full((height, width), np.inf)
    for polyline in STROKES[digit]:
        points = np.array(polyline) * scale + margin
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
            nearest = np.minimum(nearest, (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2)
    return np.clip(pen / 2 + 0.5 - np.sqrt(nearest), 0, 1)


def put(strokes: NDArray[np.float64], shape: tuple[int, int], corner: tuple[int, int]) -> NDArray[np.float64]:
    """Return a canvas of 0 with the strokes at a corner, (row, column)."""
    canvas = np.zeros(shape)
    top, left = corner
    canvas[top : top + strokes.shape[0], left : left + strokes.shape[1]] = strokes
    return canvas


def photograph(strokes: NDArray[np.float64], seed: int, noise: float = 6.0) -> Gray:
    """Return a photo of dark strokes (h, w), 0 to 1, on paper: light from one side, a shadow in a corner, noise."""
    height, width = strokes.shape
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)  # 0 to 1
    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi)
    light = 170 + 60 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle))
    shadow = 35 / (1 + np.exp(-12 * (x + y - 1.5)))  # towards the lower right corner
    paper = (light - shadow) * (1 - 0.65 * strokes) + random.normal(0, noise, strokes.shape)
    return to_gray_levels(paper)


def to_gray_levels(levels: NDArray[np.float64]) -> Gray:
    """Return levels rounded and clipped to 0 to 255."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
