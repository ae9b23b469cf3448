"""A rectangle that was taken for a digit: the paper of a picture inside a picture, whose digit is a hole in it.

The sides of such a picture are not always found before, because they are soft, or shaded, or strokes touch them.
"""

import numpy as np

from inkling.digit import Box, Floats, Gray
from inkling.vision.inner_sides import inside_soft_edges
from inkling.vision.order_statistics import median
from inkling.vision.placement import bounding_box

LEAST_FILLED = 180
"""Of 28x28 pixels: a rectangle of 20x20, or a narrow one, less a thick digit. Few digits fill so many."""
SIDE_FILLED, CORNER_FILLED = 0.85, 0.6
"""Share of a side, one pixel inside of it, and of a corner of 3x3 pixels. Strokes do not fill all sides and corners."""
MIN_SIDE = 16
"""Pixels of the picture: a smaller rectangle shows no digit that can be read."""
MARGIN = 1 / 40
"""Of the rectangle's sides: its outline."""


def is_filled_rectangle(image: Gray) -> bool:
    """Return whether an image (28, 28), 0 background to 255 foreground, shows a filled rectangle and no strokes."""
    is_filled = image > 127
    if is_filled.sum() < LEAST_FILLED:
        return False
    left, top, right, bottom = bounding_box(is_filled) or (0, 0, 0, 0)
    inner = is_filled[top + 1 : bottom - 1, left + 1 : right - 1]
    sides = [side.mean() for side in (inner[0], inner[-1], inner[:, 0], inner[:, -1])]
    corners = [part.mean() for part in (inner[:3, :3], inner[:3, -3:], inner[-3:, :3], inner[-3:, -3:])]
    return bool(min(sides) >= SIDE_FILLED and min(corners) >= CORNER_FILLED)


def inside_rectangle(gray: Gray | Floats, box: Box) -> Box | None:
    """Return the part of a picture (h, w) inside the soft edges of a rectangle; None if it is too small."""
    level = median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]))
    left, top, right, bottom = inside_soft_edges(gray, box, level)
    x, y = 1 + round(MARGIN * (right - left)), 1 + round(MARGIN * (bottom - top))
    inner = left + x, top + y, right - x, bottom - y
    return inner if min(inner[2] - inner[0], inner[3] - inner[1]) >= MIN_SIDE else None
