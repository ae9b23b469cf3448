"""The fragments of broken and faint strokes, joined to the digits that they are parts of."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.vision.connected_components import label
from inkling.vision.numbers.stroke_maps import StrokeMap
from inkling.vision.numbers.strokes import Strokes, digits_of, find_strokes, merge, strokes_in
from inkling.vision.segmentation import component_boxes

BROKEN_HEIGHT, BROKEN_GAP = 0.75, 0.12
"""Of the digits' height: pieces of a broken digit are lower, and nearer to each other."""
BROKEN_OVERLAP, BROKEN_SHARE = 0.25, 0.15
"""Share of the narrower piece's columns that both have; area of the smaller piece over that of the larger one."""
LINK = 0.3
"""Of the digits' height: how far faint foreground connects a fragment to another stroke."""
SCATTERED = 0.15
"""Of the digits' height: gap between fragments of one digit."""
LEAST_AREA = 0.1
"""Of the median area of a digit: the foreground of a digit in fragments."""
FAINT_HEIGHTS, FAINT_WIDTH = (0.5, 1.4), 1.5
"""Of the digits' height: the height and the width of faint digits."""
MAX_BROKEN = 256
"""Fragments looked at, the largest first."""


def add_faint_digits(foreground: StrokeMap, strokes: Strokes, height: float) -> Strokes:
    """Return the components of a foreground with those digits whole of which at most fragments are strong.

    Args:
        foreground: of the page.
        strokes: its components.
        height: of a digit, in pixels.
    """
    labels, count = label(foreground.weak)
    boxes = component_boxes(labels, count)
    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    is_faint = (heights >= FAINT_HEIGHTS[0] * height) & (heights <= FAINT_HEIGHTS[1] * height)
    is_faint &= widths <= FAINT_WIDTH * height
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    found = strokes.select(digits_of(strokes, height))
    is_faint &= areas >= LEAST_AREA * (np.median(found.areas) if len(found.numbers) else 1)
    is_faint[labels[strokes_in(strokes.labels, found)] - 1] = False
    if not is_faint.any():
        return strokes
    faint = np.concatenate([[False], is_faint])[labels]
    return find_strokes(foreground.strong | faint, foreground.levels)


def join_fragments(strokes: Strokes, weak: Mask, height: float) -> Strokes:
    """Return the components with those merged that are fragments of one digit.

    Args:
        strokes: the components.
        weak: where there is at least faint foreground (h, w).
        height: of a digit, in pixels.
    """
    strokes = _join_linked(_join_broken(strokes, height), weak, height)
    return _join_scattered(strokes, height)


def _join_broken(strokes: Strokes, height: float) -> Strokes:
    """Merge components that lie closely above each other, and are together about as high as a digit."""
    boxes = strokes.boxes
    roots = np.arange(len(strokes.numbers))
    for i in _largest(strokes, strokes.heights < BROKEN_HEIGHT * height):
        overlap = np.minimum(boxes[:, 2:], boxes[i, 2:]) - np.maximum(
            boxes[:, :2], boxes[i, :2]
        )  # (n, 2): rows, columns
        narrower = np.minimum(strokes.widths, strokes.widths[i])
        tall = np.maximum(boxes[:, 2], boxes[i, 2]) - np.minimum(boxes[:, 0], boxes[i, 0])
        near = (-overlap[:, 0] <= BROKEN_GAP * height) & (overlap[:, 1] >= BROKEN_OVERLAP * narrower)
        near &= (tall <= 1.3 * height) & (strokes.areas >= BROKEN_SHARE * strokes.areas[i])
        near &= strokes.areas <= strokes.areas[i] / BROKEN_SHARE
        roots[np.isin(roots, roots[near])] = roots[near].min() if near.any() else roots[i]
    return merge(strokes, roots)


def _join_linked(strokes: Strokes, weak: Mask, height: float) -> Strokes:
    """Merge each low component with the nearest one to which faint foreground connects it."""
    small = _largest(strokes, ~digits_of(strokes, height))
    if not len(small):
        return strokes
    labels, _ = label(weak | (strokes.labels > 0))
    any_pixel = np.zeros(int(strokes.labels.max()) + 1, np.intp)
    any_pixel[strokes.labels.ravel()] = np.arange(strokes.labels.size)
    areas = labels.ravel()[any_pixel[strokes.numbers + 1]]  # (n,)
    roots = np.arange(len(strokes.numbers))
    for i in small:
        gaps = _gaps(strokes.boxes[i], strokes.boxes).astype(np.float64)
        gaps[(areas != areas[i]) | (roots == roots[i])] = np.inf
        nearest = int(np.argmin(gaps))
        if gaps[nearest] <= LINK * height:
            roots[roots == roots[i]] = roots[nearest]
    return merge(strokes, roots)


def _join_scattered(strokes: Strokes, height: float) -> Strokes:
    """Merge low components near each other, and away from digits, that are together as high as a digit."""
    is_digit = digits_of(strokes, height)
    small = _largest(strokes, ~is_digit)
    if not is_digit.any() or len(small) < 2:
        return strokes
    digit_gaps = np.array([_gaps(strokes.boxes[i], strokes.boxes[is_digit]).min() for i in small])
    small = small[digit_gaps > BROKEN_GAP * height]
    roots = np.arange(len(strokes.numbers))
    for i in small:
        near = small[_gaps(strokes.boxes[i], strokes.boxes[small]) <= SCATTERED * height]
        roots[np.isin(roots, roots[near])] = roots[near].min()
    least = LEAST_AREA * float(np.median(strokes.areas[is_digit]))
    for root in np.unique(roots[small]):
        members = np.flatnonzero(roots == root)
        high = strokes.boxes[members, 2].max() - strokes.boxes[members, 0].min()
        wide = strokes.boxes[members, 3].max() - strokes.boxes[members, 1].min()
        is_digit_high = FAINT_HEIGHTS[0] * height <= high <= FAINT_HEIGHTS[1] * height
        if not is_digit_high or wide > FAINT_WIDTH * height or strokes.areas[members].sum() < least:
            roots[members] = members
    return merge(strokes, roots)


def _largest(strokes: Strokes, chosen: Mask) -> NDArray[np.intp]:
    """Return the indices of chosen components, MAX_BROKEN at most, the largest first."""
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(-strokes.areas[indices])][:MAX_BROKEN]


def _gaps(box: NDArray[np.intp], boxes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the pixels between a box and others (n, 4), in rows or in columns, whichever are more; 0 if they touch."""
    gaps: NDArray[np.intp] = np.maximum(np.maximum(boxes[:, :2] - box[2:], box[:2] - boxes[:, 2:]).max(axis=1), 0)
    return gaps
