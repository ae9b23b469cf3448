"""Strokes that cross the outline of a rectangle in a picture: then it is a shadow or a sheet, no picture of its own."""

import numpy as np

from inkling.digit import Box, Floats, Gray
from inkling.vision.foreground import box_blur

DEPTH = 1 / 40
"""Of the rectangle's sides: rows that far on both sides of its outline are compared, beyond its soft edge."""
LEAST_CONTRAST = 0.25
"""By so much a stroke differs from its row, as a share of the row's level."""


def is_crossed(gray: Gray | Floats, box: Box) -> bool:
    """Return whether strokes cross a side of a box that lies inside of a picture (h, w)."""
    left, top, right, bottom = box
    height, width = gray.shape
    y, x = (max(4, round(DEPTH * side)) for side in (bottom - top, right - left))
    pairs = [(gray[row - y, left:right], gray[row + y, left:right]) for row in (top, bottom) if y <= row < height - y]
    pairs += [(gray[top:bottom, row - x], gray[top:bottom, row + x]) for row in (left, right) if x <= row < width - x]
    return any(_has_common_stroke(one, other) for one, other in pairs)


def _has_common_stroke(one: Gray | Floats, other: Gray | Floats) -> bool:
    """Return whether two parallel rows (n,) of pixels are both dark, or both light, at the same place."""
    changes = []
    for row in (one, other):
        level = float(np.median(row))
        change = (row - np.float32(level)) / max(16.0, level)
        changes.append(box_blur(np.stack([change] * 3), 1)[1])  # a single pixel is noise
    lighter, darker = np.minimum(*changes), np.minimum(*(-change for change in changes))
    return bool(max(lighter.max(), darker.max()) > LEAST_CONTRAST)
