"""The strokes of a page: connected components of its foreground, measured."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.segmentation import component_boxes

MIN_AREA = 3
"""Pixels of a component; smaller ones are noise."""
MAX_COMPONENTS = 4096
"""More are noise, not writing: the largest are kept."""
RULE = 5
"""A component this many times as long as thick, and as long as half of the picture, is a line of the paper."""


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
    strokes = strokes.select((areas >= MIN_AREA) & ~_is_rule(strokes, mask.shape))
    if len(strokes.numbers) > MAX_COMPONENTS:
        strokes = strokes.select(np.sort(np.argsort(strokes.areas)[-MAX_COMPONENTS:]))
    return strokes


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


def _is_rule(strokes: Strokes, shape: tuple[int, ...]) -> Mask:
    height, width = shape
    is_flat = (strokes.widths > RULE * strokes.heights) & (strokes.widths > width / 2)
    is_upright = (strokes.heights > RULE * strokes.widths) & (strokes.heights >= height - 2)
    rule: Mask = is_flat | (is_upright & (height > width / 2))
    return rule
