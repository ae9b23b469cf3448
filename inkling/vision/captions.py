"""Text and icons beside a digit: the clock, title, caption and buttons of a screenshot on the picture's own paper.

They are much smaller than the digit and lie away from it: in lines of several, or along the picture's top and bottom.
"""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.vision.segmentation import component_boxes

CAPTIONS_LEFT_OUT = "small text or icons beside the digit were left out"
MAX_COUNT = 400
"""Marks with the digit's: more are noise."""
DOMINANT = 0.15
"""Share of all strokes that the largest mark takes, at least: else it is one of many, as in noise or a table."""
SMALL_HEIGHT, SMALL_WIDTH = 0.35, 0.6
"""Of the longer side of the largest mark: a letter or an icon is not higher or wider. Digits beside each other are."""
FLAT_HEIGHT, FLAT_WIDTH = 0.5, 2.5
"""A mark no higher, of the same, and so many times as wide as high, is joined letters; no digit is so wide."""
FAR, NEAR = 0.25, 0.06
"""Of the same: what is farther from all large marks is none of the digit's; what is nearer than NEAR may be."""
LINE, LONG_LINE = 3, 5
"""Marks in one line that are text if they are far from the digit, and if they are above or below it."""
EDGE = 0.15
"""Of the picture's height: single marks that far from its top or bottom are icons."""

BAR_WIDTH, BAR_HEIGHT = 0.95, 0.2
"""Of the picture's width and height: a bar along its top or bottom."""


def find_captions(labels: NDArray[np.int32], count: int) -> Mask | None:
    """Return which components (count,) of a picture's strokes, labeled (h, w), are text or icons; None if none is."""
    if not 1 < count <= MAX_COUNT:
        return None
    areas = np.bincount(labels.ravel())[1:]  # (count,)
    boxes = component_boxes(labels, count)
    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    is_bar = _are_bars(boxes, labels.shape)
    is_wide = widths >= FLAT_WIDTH * heights
    main = int(np.where(is_wide | is_bar, 0, areas).argmax())
    side = max(heights[main], widths[main])
    if areas[main] < DOMINANT * areas[~is_bar].sum() or is_wide[main] or is_bar[main]:
        return None
    is_flat = is_wide & (heights <= FLAT_HEIGHT * side)
    is_small = ((heights <= SMALL_HEIGHT * side) & (widths <= SMALL_WIDTH * side)) | is_flat
    is_small |= is_bar
    is_small[main] = False
    large = boxes[~is_small]
    gaps_y, gaps_x = _gaps(boxes, large)
    distance = np.maximum(gaps_y, gaps_x).min(axis=1)  # (count,)
    letters = np.where(is_small, np.maximum(1, np.rint(widths / heights)), 0)  # (count,): a joined word has several
    in_line = (_gaps(boxes[:, [0, 1, 2, 1]], boxes[:, [0, 1, 2, 1]])[0] < 0) @ letters  # (count,)
    in_line = np.where(is_flat, LONG_LINE, in_line)
    is_at_edge = (boxes[:, 2] <= EDGE * labels.shape[0]) | (boxes[:, 0] >= (1 - EDGE) * labels.shape[0])
    is_far = (distance > FAR * side) & (is_at_edge | (in_line >= LINE))
    is_above_or_below = (gaps_y > NEAR * side).all(axis=1) & (in_line >= LONG_LINE)
    captions: Mask = is_small & (is_far | is_above_or_below | (is_bar & (distance > NEAR * side)))
    return captions if captions.any() else None


def _are_bars(boxes: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    """Return which boxes (n, 4) lie along the whole top or bottom of a picture (h, w): the bars of an app."""
    is_wide = boxes[:, 3] - boxes[:, 1] >= BAR_WIDTH * shape[1]
    is_low = boxes[:, 2] - boxes[:, 0] <= BAR_HEIGHT * shape[0]
    bars: Mask = is_wide & is_low & ((boxes[:, 0] == 0) | (boxes[:, 2] == shape[0]))
    return bars


def _gaps(boxes: NDArray[np.intp], others: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns (n, m) between boxes (n, 4) and others (m, 4), negative where they overlap."""
    one, other = boxes[:, np.newaxis], others[np.newaxis]
    gaps = np.maximum(one[..., :2] - other[..., 2:], other[..., :2] - one[..., 2:])  # (n, m, 2)
    return gaps[..., 0], gaps[..., 1]
