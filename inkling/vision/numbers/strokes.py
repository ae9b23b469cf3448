"""The strokes of a page: connected components of its foreground, measured."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.segmentation import component_boxes

MIN_AREA = 3
"""Pixels of a component; smaller ones are noise."""
MIN_LEVEL = 8
"""Mean level of a component, of 255; fainter ones are noise."""
MAX_COMPONENTS = 4096
"""More are noise, not writing: the largest are kept."""
MIN_HEIGHT = 5
"""Pixels of the smallest digits."""
RULE = 5
"""A component this many times as long as thick may be a line of the paper.

If it is flat and as long as half of the picture; or if it is upright, spans the
picture and is unlike the other strokes.
"""
SOLID = 0.7
"""Share of the rows from the top of a line to its bottom, column by column, that the line covers."""
FRAME_SIDES, FRAME_FILL = 0.8, 0.35
"""Share of a printed frame's area that lies along the sides of its box; share of its box that its area fills."""
FRAME_CONTENT = 0.15
"""Height of what is inside of a frame, as a share of its own: in a 0 is dust."""
LINE_HEIGHT, LINE_PEN = 1.4, 0.8
"""Of the digits' height and of the pen's width: what is thinner, and higher or reaches an edge, is an upright line."""
THIN_PEN = 0.4
"""Of the pen's width: an upright line that is thinner is no 1."""
DIGIT_HEIGHT = 0.5
"""Of the typical height: lower components are marks, dust, or parts of a digit."""
LOW_DIGIT = 0.3
"""Of the typical height: a wide 5 or 2 may be so low."""
MIN_FILL = 0.5
"""Share of its box that a minus sign fills; a low digit fills less."""
MAX_FRAMES = 256
"""Components looked at."""


class Strokes(NamedTuple):
    """Components (n,), each measured."""

    labels: NDArray[np.int32]
    """(h, w): 0, or the number of a component plus 1; numbers of components that were dropped are not in `numbers`."""
    numbers: NDArray[np.intp]
    boxes: NDArray[np.intp]
    """(n, 4): top, left, bottom, right."""
    areas: NDArray[np.intp]
    levels: NDArray[np.float64]
    """Mean level of each."""

    @property
    def heights(self) -> NDArray[np.intp]:
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def widths(self) -> NDArray[np.intp]:
        return self.boxes[:, 3] - self.boxes[:, 1]

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Strokes":
        return Strokes(self.labels, self.numbers[chosen], self.boxes[chosen], self.areas[chosen], self.levels[chosen])


def find_strokes(mask: Mask, levels: Gray) -> Strokes:
    """Return the components of a foreground (h, w), without noise and lines of the paper."""
    labels, count = label(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    sums = np.bincount(labels.ravel(), weights=levels.ravel(), minlength=count + 1)[1:]
    strokes = Strokes(labels, np.arange(count), component_boxes(labels, count), areas, sums / np.maximum(areas, 1))
    strokes = strokes.select((areas >= MIN_AREA) & (strokes.levels >= MIN_LEVEL) & ~_is_flat_rule(strokes))
    strokes = strokes.select(~_is_frame(strokes))
    strokes = strokes.select(~_is_upright_rule(strokes))
    if len(strokes.numbers) > MAX_COMPONENTS:
        strokes = strokes.select(np.sort(np.argsort(strokes.areas)[-MAX_COMPONENTS:]))
    return strokes


def without_lines(strokes: Strokes, height: float, pen: float) -> Strokes:
    """Return the components without upright lines, given the height of the digits and the width of the pen."""
    widths = strokes.areas / strokes.heights
    is_long = (strokes.heights > LINE_HEIGHT * height) | (strokes.boxes[:, 0] <= 1)
    is_long |= strokes.boxes[:, 2] >= len(strokes.labels) - 1
    is_line = _is_upright(strokes) & ((is_long & (widths < LINE_PEN * pen)) | (widths < THIN_PEN * pen))
    return strokes if is_line.all() else strokes.select(~is_line)


def digits_of(strokes: Strokes, height: float) -> NDArray[np.bool_]:
    """Return which components are as high as a digit of this height, or are low, wide and no solid mark."""
    is_low_digit = (strokes.heights >= LOW_DIGIT * height) & (strokes.widths >= DIGIT_HEIGHT * height)
    is_low_digit &= strokes.areas < MIN_FILL * strokes.heights * strokes.widths
    tall: NDArray[np.bool_] = (strokes.heights >= DIGIT_HEIGHT * height) | is_low_digit
    return tall


def merge(strokes: Strokes, roots: NDArray[np.intp]) -> Strokes:
    """Return components merged with their roots (n,), which are indices of components; the labels are changed, too."""
    kept = np.unique(roots)
    if len(kept) == len(roots):
        return strokes
    table = np.arange(int(strokes.labels.max()) + 1, dtype=np.int32)
    table[strokes.numbers + 1] = strokes.numbers[roots] + 1
    boxes, areas = strokes.boxes.copy(), np.zeros_like(strokes.areas)
    np.minimum.at(boxes[:, 0], roots, strokes.boxes[:, 0])
    np.minimum.at(boxes[:, 1], roots, strokes.boxes[:, 1])
    np.maximum.at(boxes[:, 2], roots, strokes.boxes[:, 2])
    np.maximum.at(boxes[:, 3], roots, strokes.boxes[:, 3])
    np.add.at(areas, roots, strokes.areas)
    return Strokes(table[strokes.labels], strokes.numbers, boxes, areas, strokes.levels).select(kept)


def strokes_in(labels: NDArray[np.int32], strokes: Strokes) -> Mask:
    """Return where labels (h, w) of components are those of these strokes."""
    is_chosen = np.zeros(int(labels.max()) + 1, np.bool_)
    is_chosen[strokes.numbers + 1] = True
    mask: Mask = is_chosen[labels]
    return mask


def typical_height(strokes: Strokes) -> float:
    """Return the height of most foreground: the median of the components' heights, weighted by their areas."""
    order = np.argsort(strokes.heights)
    total = np.cumsum(strokes.areas[order])
    return float(strokes.heights[order][np.searchsorted(total, total[-1] / 2)])


def stroke_width(mask: Mask) -> float:
    """Return the median length of the horizontal and vertical runs of a mask (h, w), the shorter of the two."""
    return min(_median_run(mask), _median_run(mask.T))


def _median_run(mask: Mask) -> float:
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8).ravel())
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return float(np.median(ends - starts)) if len(starts) else 0.0


def _is_upright(strokes: Strokes) -> Mask:
    return strokes.heights > RULE * strokes.widths


def _is_flat_rule(strokes: Strokes) -> Mask:
    rule: Mask = (strokes.widths > RULE * strokes.heights) & (strokes.widths > strokes.labels.shape[1] / 2)
    for i in np.flatnonzero(rule):
        top, left, bottom, right = strokes.boxes[i]
        mask = strokes.labels[top:bottom, left:right] == strokes.numbers[i] + 1
        extents = len(mask) - mask.argmax(axis=0) - mask[::-1].argmax(axis=0)  # (w,)
        rule[i] = mask.sum() >= SOLID * extents.sum()  # not so a number whose digits all touch
    return rule


def _is_upright_rule(strokes: Strokes) -> Mask:
    """Return which components span the picture from top to bottom, and are higher or thinner than other strokes."""
    height, width = strokes.labels.shape
    spans: Mask = _is_upright(strokes) & (strokes.heights >= height - 2) & (height > width / 2)
    others = strokes.select(~spans)
    if not spans.any() or not len(others.numbers) or typical_height(others) < MIN_HEIGHT:
        return np.zeros_like(spans)  # a 1 that fills the picture, perhaps with dust
    pen = stroke_width(strokes_in(strokes.labels, others))
    is_high = strokes.heights > LINE_HEIGHT * typical_height(others)
    rule: Mask = spans & (is_high | (strokes.areas < LINE_PEN * pen * strokes.heights))
    return rule


def _is_frame(strokes: Strokes) -> Mask:
    """Return which components are printed frames: thin, along the sides of their box, with strokes inside."""
    boxes = strokes.boxes
    frame = np.zeros(len(strokes.numbers), np.bool_)
    is_thin = strokes.areas < FRAME_FILL * strokes.heights * strokes.widths
    for i in np.flatnonzero(is_thin & (strokes.heights > 4 * MIN_AREA))[:MAX_FRAMES]:
        top, left, bottom, right = boxes[i]
        is_inside = (boxes[:, :2] >= boxes[i, :2]).all(axis=1) & (boxes[:, 2:] <= boxes[i, 2:]).all(axis=1)
        heights = np.where(is_inside, strokes.heights, 0)
        if (heights >= FRAME_CONTENT * (bottom - top)).sum() < 2:  # itself, and another
            continue
        mask = strokes.labels[top:bottom, left:right] == strokes.numbers[i] + 1
        depth = max(1, round((bottom - top) / 10))
        frame[i] = mask[depth:-depth, depth:-depth].sum() < (1 - FRAME_SIDES) * mask.sum()
    return frame
