"""What a pen leaves: curves, and their ink on an image as MNIST would hold it."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Gray
from inkling.vision.placement import centering_offset

Curve = NDArray[np.float64]
"""Points (n, 2), x and y, y downwards: where the middle of the pen went."""

POINTS = 16
"""Points of a curve. A digit's few curves are some 60 pixels long, so straight lines between them do."""
BOX = 20
"""Pixels of the longer side of a digit's ink: http://yann.lecun.com/exdb/mnist/."""

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float64)
INNER = slice((SIDE - BOX) // 2 - 1, (SIDE + BOX) // 2 + 1)
"""The box in the middle, and a pixel around it."""
X, Y = COLUMNS[INNER, INNER].ravel(), ROWS[INNER, INNER].ravel()  # (484,)


def bezier(*controls: tuple[float, float]) -> Curve:
    """Return a Bezier curve from the first control point to the last: two make a line, three or four bend it."""
    t = np.linspace(0, 1, POINTS)[:, np.newaxis]
    degree = len(controls) - 1
    shares = [comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(degree + 1)]  # Bernstein's polynomials
    curve: Curve = np.concatenate(shares, axis=1) @ np.array(controls)
    return curve


def arc(center: tuple[float, float], radii: tuple[float, float], start: float, sweep: float) -> Curve:
    """Return an arc of an ellipse; angles in degrees: 0 to the right, 90 downwards, so that sweeps are clockwise."""
    angle = np.deg2rad(np.linspace(start, start + sweep, 2 * POINTS))
    curve: Curve = np.array(center) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.array(radii)
    return curve


def draw(curves: list[Curve], width: float) -> Gray:
    """Return the image (28, 28) of a digit drawn with a round pen, placed as MNIST's are.

    The ink's longer side is 20 pixels and its center of mass at (14, 14), to a pixel.

    Args:
        curves: in any unit.
        width: of the pen, as a share of the height of the ink, 0 to 1.
    """
    points = np.concatenate(curves)
    low, (columns, rows) = points.min(axis=0), np.ptp(points, axis=0)
    pen = width / (1 - width) * rows
    zoom = BOX / (max(columns, rows) + pen)
    middle = low + np.array([columns, rows]) / 2
    ink = np.zeros((SIDE, SIDE))
    for curve in curves:
        ink = np.maximum(ink, _ink((curve - middle) * zoom + (SIDE - 1) / 2, pen * zoom))
    return centered(np.rint(255 * ink).astype(np.uint8))


def _ink(curve: Curve, width: float) -> NDArray[np.float64]:
    """Return a line's ink (28, 28), 0 to 1: full up to half its width away, none a pixel further."""
    along_x, along_y = np.diff(curve, axis=0).T[:, :, np.newaxis]  # (n, 1) each: from one point to the next
    x, y = X - curve[:-1, :1], Y - curve[:-1, 1:]  # (n, 484) each: from a point to every pixel
    share = np.clip((x * along_x + y * along_y) / np.maximum(along_x**2 + along_y**2, 1e-12), 0, 1)
    squares = ((x - share * along_x) ** 2 + (y - share * along_y) ** 2).min(axis=0)  # to the nearest of all places
    ink = np.zeros((SIDE, SIDE))
    ink[INNER, INNER] = np.clip(width / 2 + 0.5 - np.sqrt(squares), 0, 1).reshape(ink[INNER, INNER].shape)
    return ink


def centered(image: Gray) -> Gray:
    """Return an image (28, 28) moved by whole pixels so that its center of mass is at (14, 14), as MNIST's are."""
    shift = centering_offset(image)
    moved = np.zeros_like(image)
    rows, columns = (slice(max(0, by), SIDE + min(0, by)) for by in shift)
    from_rows, from_columns = (slice(max(0, -by), SIDE + min(0, -by)) for by in shift)
    moved[rows, columns] = image[from_rows, from_columns]
    return moved
