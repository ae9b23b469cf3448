"""A round pen: curves, and the strokes that they leave on a 28x28 image."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from inkling.digit import DIGIT_SIDE, SIDE, Gray
from inkling.vision.placement import centering_offset

Curve = NDArray[np.float64]
"""Points (n, 2) on the path of the pen's center, x to the right and y down."""

POINTS = 16
"""Points per curve. All curves of a digit together are about 60 pixels long, so straight segments are short enough."""

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float64)
INNER = slice((SIDE - DIGIT_SIDE) // 2 - 1, (SIDE + DIGIT_SIDE) // 2 + 1)
"""The central box that the strokes can touch, and one pixel around it."""
X, Y = COLUMNS[INNER, INNER].ravel(), ROWS[INNER, INNER].ravel()  # (484,)


def bezier(*controls: tuple[float, float]) -> Curve:
    """Return a Bezier curve from the first control point to the last: a line for two, a bend for three or four."""
    t = np.linspace(0, 1, POINTS)[:, np.newaxis]
    degree = len(controls) - 1
    weights = [comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(degree + 1)]  # Bernstein's polynomials
    curve: Curve = np.concatenate(weights, axis=1) @ np.array(controls)
    return curve


def arc(center: tuple[float, float], radii: tuple[float, float], start: float, sweep: float) -> Curve:
    """Return an arc of an ellipse; angles in degrees, 0 to the right and 90 down, so a positive sweep is clockwise."""
    angle = np.deg2rad(np.linspace(start, start + sweep, 2 * POINTS))
    curve: Curve = np.array(center) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.array(radii)
    return curve


def draw(curves: list[Curve], width: float) -> Gray:
    """Return the image (28, 28) of a digit drawn with a round pen, placed by MNIST's rule.

    The longer side of the digit is 20 pixels, and its center of mass is at (14, 14) to the nearest pixel.

    Args:
        curves: paths of the pen, in any unit.
        width: width of the pen as a share of the digit's height, 0 to 1.
    """
    points = np.concatenate(curves)
    low, (columns, rows) = points.min(axis=0), np.ptp(points, axis=0)
    pen = width / (1 - width) * rows
    zoom = DIGIT_SIDE / (max(columns, rows) + pen)
    middle = low + np.array([columns, rows]) / 2
    strokes = np.zeros((SIDE, SIDE))
    for curve in curves:
        strokes = np.maximum(strokes, _stroke((curve - middle) * zoom + (SIDE - 1) / 2, pen * zoom))
    return centered(np.rint(255 * strokes).astype(np.uint8))


def _stroke(curve: Curve, width: float) -> NDArray[np.float64]:
    """Return the coverage (28, 28) by a stroke, 0 to 1: it falls from 1 to 0 over one pixel at the stroke's edge."""
    along_x, along_y = np.diff(curve, axis=0).T[:, :, np.newaxis]  # (n, 1) each: along every segment
    x, y = X - curve[:-1, :1], Y - curve[:-1, 1:]  # (n, 484) each: from its start to every pixel
    share = np.clip((x * along_x + y * along_y) / np.maximum(along_x**2 + along_y**2, 1e-12), 0, 1)
    squares = ((x - share * along_x) ** 2 + (y - share * along_y) ** 2).min(axis=0)  # to the nearest segment
    coverage = np.zeros((SIDE, SIDE))
    coverage[INNER, INNER] = np.clip(width / 2 + 0.5 - np.sqrt(squares), 0, 1).reshape(coverage[INNER, INNER].shape)
    return coverage


def centered(image: Gray) -> Gray:
    """Return an image (28, 28) moved by whole pixels so that its center of mass is at (14, 14), as MNIST's are."""
    shift = centering_offset(image)
    moved = np.zeros_like(image)
    rows, columns = (slice(max(0, by), SIDE + min(0, by)) for by in shift)
    from_rows, from_columns = (slice(max(0, -by), SIDE + min(0, -by)) for by in shift)
    moved[rows, columns] = image[from_rows, from_columns]
    return moved
