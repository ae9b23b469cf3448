"""The lines of a page: digits beside each other, on baselines that may be uneven or slope."""

import numpy as np
from numpy.typing import NDArray

MIN_OVERLAP = 0.4
"""Of the lower of two digits: the share of its height by which they overlap if they are beside each other."""
SAME_LINE = 0.75
"""Of the digits' height: how far apart the centers of neighbors in one line are, on average, at most."""
WIDE_GAP, UNUSUAL_GAP = 1.5, 3.0
"""A gap between numbers is as wide as this many digits are high, and this many times the line's median gap."""


def group_into_lines(boxes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the indices of the boxes (n, 4) in each line, from left to right; the lines from top to bottom.

    Each box continues the line whose end it overlaps most, so that baselines may slope.
    """
    lines: list[list[int]] = []
    for i in np.argsort(boxes[:, 1] + boxes[:, 3], kind="stable"):
        overlaps = [_overlap(boxes[i], boxes[line[-2:]]) for line in lines]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= MIN_OVERLAP:
            lines[best].append(int(i))
        else:
            lines.append([int(i)])
    arrays = _merge_lines([np.array(line) for line in lines], boxes)
    return sorted(arrays, key=lambda line: float((boxes[line, 0] + boxes[line, 2]).mean()))


def _merge_lines(lines: list[NDArray[np.intp]], boxes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the lines with those merged whose digits are hardly above each other: their baseline is uneven."""
    centers, middles = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    height = float(np.median(boxes[:, 2] - boxes[:, 0]))
    merged: list[NDArray[np.intp]] = []
    for line in lines:
        for i, other in enumerate(merged):
            nearest = other[np.abs(middles[line, np.newaxis] - middles[other]).argmin(axis=1)]
            if np.abs(centers[line] - centers[nearest]).mean() < SAME_LINE * height:
                both = np.concatenate([other, line])
                merged[i] = both[np.argsort(boxes[both, 1], kind="stable")]
                break
        else:
            merged.append(line)
    return merged


def wide_gaps(boxes: NDArray[np.intp], height: float) -> NDArray[np.bool_]:
    """Return before which of a line's boxes (n, 4), from left to right, lies a gap as between two numbers."""
    gaps = boxes[1:, 1] - np.maximum.accumulate(boxes[:, 3])[:-1]
    if not len(gaps):
        return np.zeros(len(boxes), np.bool_)
    unusual = UNUSUAL_GAP * max(float(np.median(gaps)), height / 4)
    return np.concatenate([[False], gaps > max(WIDE_GAP * height, unusual)])


def _overlap(box: NDArray[np.intp], others: NDArray[np.intp]) -> float:
    """Return by how much a box overlaps the rows of the last boxes of a line, as a share of the lower height."""
    top, bottom = float(others[:, 0].mean()), float(others[:, 2].mean())
    lower = min(bottom - top, float(box[2] - box[0]))
    return (min(bottom, float(box[2])) - max(top, float(box[0]))) / lower
