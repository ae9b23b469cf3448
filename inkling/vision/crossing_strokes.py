"""Strokes across or beyond the outline of a rectangle in a picture: it is a shadow or a fold, no inner picture."""

import numpy as np

from inkling.digit import Box, Floats, Gray
from inkling.vision.box_blur import box_blur
from inkling.vision.order_statistics import median

DEPTH = 1 / 40
"""Of the rectangle's sides: rows that far on both sides of its outline are compared, beyond its soft edge."""
LEAST_CONTRAST = 0.25
"""By so much a stroke differs from its row, as a share of the row's level."""
DARKEST = 96.0
"""Gray levels: a darker row counts as this dark, so that noise on a dark page is no stroke."""
SAMPLE_SIDE = 256
"""Pixels of the longer side of the sample whose contrast is measured."""
LEAST_INNER_CONTRAST = 0.3
"""Of a picture of its own, as a share of the contrast of what is on one side of it, which may be black text."""
SEAM = 1 / 12
"""Of the box's sides: so near to the sides that it shares with the rest, a crease may be as dark as strokes."""


def is_step_of_light(gray: Gray | Floats, box: Box) -> bool:
    """Return whether a box divides a picture (h, w) in two, and the strokes are in the part outside of it.

    Bars, pages and frames lie on opposite sides of what they surround; a shadow's edge or a fold has one other side.
    """
    left, top, right, bottom = box
    height, width = gray.shape
    if (left > 0 and right < width) or (top > 0 and bottom < height):
        return False
    return is_fainter_inside(gray, box)


def is_fainter_inside(gray: Gray | Floats, box: Box) -> bool:
    """Return whether the contrast inside a box is much lower than that of the rest of a picture (h, w)."""
    step = -(-max(gray.shape) // SAMPLE_SIDE)
    left, top, right, bottom = box
    height, width = gray.shape
    y, x = (2 + round(SEAM * side) for side in (bottom - top, right - left))
    rows = slice(top + y if top else 0, bottom - y if bottom < height else height, step)
    columns = slice(left + x if left else 0, right - x if right < width else width, step)
    sample = gray[::step, ::step]
    is_outside = np.ones(sample.shape, bool)
    is_outside[-(-top // step) : -(-bottom // step), -(-left // step) : -(-right // step)] = False
    return _contrast(gray[rows, columns]) < LEAST_INNER_CONTRAST * _contrast(sample[is_outside])


def _contrast(levels: Gray | Floats) -> float:
    """Return the range of levels, in gray levels, without a few that are noise."""
    return float(np.ptp(np.percentile(levels, (0.2, 99.8)))) if levels.size else 0.0


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
        level = median(row)
        change = (row - np.float32(level)) / max(DARKEST, level)
        changes.append(box_blur(np.stack([change] * 3), 1)[1])  # a single pixel is noise
    lighter, darker = np.minimum(*changes), np.minimum(*(-change for change in changes))
    return bool(max(lighter.max(), darker.max()) > LEAST_CONTRAST)
