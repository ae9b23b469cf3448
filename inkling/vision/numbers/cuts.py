"""The columns where strokes that touch may be divided into digits: where little foreground is above each other."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask

MIN_WIDTH = 0.5
"""Of the line's height: narrower components are one digit."""
MIN_PART = 0.1
"""Of the line's height: no part is narrower."""
MAX_THICKNESS = 0.45
"""Of the line's height: the foreground of a column where digits may be divided."""
CUTS_PER_HEIGHT = 4
"""Cuts of a component as wide as the line's digits are high."""
MAX_CUTS = 32


def cut_columns(mask: Mask, height: float) -> NDArray[np.intp]:
    """Return the columns before which a component (h, w) may be divided, given the height of the line's digits."""
    width = mask.shape[1]
    if width < MIN_WIDTH * height:
        return np.zeros(0, np.intp)
    foreground = mask.sum(axis=0)
    part = max(2, round(MIN_PART * height))
    allowed = np.arange(part, width - part + 1)
    order = allowed[
        np.argsort(foreground[allowed] + 1e-3 * np.abs(_plateau_offsets(foreground)[allowed]), kind="stable")
    ]
    chosen: list[int] = []
    most = min(MAX_CUTS, round(CUTS_PER_HEIGHT * width / height))
    for column in order:
        if len(chosen) == most or foreground[column] > MAX_THICKNESS * height:
            break
        near = foreground[max(0, column - part) : column + part + 1]
        if foreground[column] == near.min() and all(abs(column - other) >= part for other in chosen):
            chosen.append(int(column))
    return np.sort(np.array(chosen, np.intp))


def _plateau_offsets(foreground: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the distance of each column from the middle of the run of equal columns around it."""
    starts = np.flatnonzero(np.diff(foreground, prepend=-1))
    ends = np.append(starts[1:], len(foreground))
    offsets: NDArray[np.float64] = np.arange(len(foreground)) - np.repeat((starts + ends - 1) / 2, ends - starts)
    return offsets
