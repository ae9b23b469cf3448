"""The seams along which strokes that touch may be divided into digits: paths down through little foreground."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats, Gray

ROWS = 48
"""A higher component is reduced to about so many rows."""
MIN_WIDTH = 0.5
"""Of the line's height: narrower components are one digit."""
MIN_AREA = 0.02
"""Of the line's height, squared: the foreground of the smallest part."""
MAX_DEPTH = 0.45
"""Of the line's height: the foreground that a seam crosses."""
SEAMS_PER_HEIGHT, MARGIN = 4, 0.25
"""Seams of a component per width of the line's height, beyond a margin."""
MAX_SEAMS = 32
SIDEWAYS = 0.1
"""Cost of a step to the side, in pixels of foreground: without foreground to avoid, a seam is straight."""


class Seams(NamedTuple):
    """Paths from the top of a component (h, w) to its bottom, from left to right."""

    columns: NDArray[np.intp]
    """(n, h): in each row the first column to the right of the seam."""
    depths: NDArray[np.float64]
    """(n,): rows of foreground that each crosses, as a share of the line's height."""


def find_seams(levels: Gray, height: float) -> Seams:
    """Return the seams along which a component may be divided.

    Each is the cheapest path through a column of the middle row. The foreground that it crosses is its cost, so it
    prefers the lighter valley between two strokes that touch. Source of the dynamic program: S. Avidan and A. Shamir,
    Seam Carving for Content-Aware Image Resizing, 2007.

    Args:
        levels: of the component (h, w), 0 around it.
        height: of the line's digits, in pixels.
    """
    rows, width = levels.shape
    if width < MIN_WIDTH * height:
        return Seams(np.zeros((0, rows), np.intp), np.zeros(0))
    step = max(1, rows // ROWS)
    costs = _reduced(levels, step)
    middle = len(costs) // 2
    above, steps_above = _cheapest_paths(costs[: middle + 1])
    below, steps_below = _cheapest_paths(costs[middle:][::-1])
    through = above + below - costs[middle]  # (w,)
    depths = through * step / height
    paths = np.hstack([_trace(steps_above)[:, ::-1], _trace(steps_below)[:, 1:]])  # (w, rows)
    sums = np.pad(costs.cumsum(axis=1), ((0, 0), (1, 0)))  # (rows, w + 1)
    areas = np.take_along_axis(sums, paths.T, axis=1).sum(axis=0) * step**2  # (w,): to the left of each path
    most = min(MAX_SEAMS, round(SEAMS_PER_HEIGHT * (width / height - MARGIN)))
    chosen = _cheapest(depths, areas, float(costs.sum()) * step**2, MIN_AREA * height**2, most)
    columns = np.sort(np.repeat(paths[chosen] * step, step, axis=1)[:, :rows], axis=0)
    return Seams(columns, depths[chosen])


def _reduced(levels: Gray, step: int) -> Floats:
    """Return the mean level, from 0 to 1, of each square of `step` pixels, with background beyond the edges."""
    rows, width = (-(-side // step) for side in levels.shape)
    padded = np.zeros((rows * step, width * step), np.float32)
    padded[: levels.shape[0], : levels.shape[1]] = levels / np.float32(255)
    means: Floats = padded.reshape(rows, step, width, step).mean(axis=(1, 3))
    return means


def _cheapest_paths(costs: Floats) -> tuple[Floats, NDArray[np.int8]]:
    """Return the cost of the cheapest path from the first row (h, w) to each pixel of the last one (w,).

    And the steps (h - 1, w) that lead back: to the column in the row before, -1 left, 1 right.
    """
    total = costs[0]
    steps = np.zeros((len(costs) - 1, costs.shape[1]), np.int8)
    for i, row in enumerate(costs[1:]):
        padded = np.pad(total, 1, constant_values=np.inf)
        candidates = np.stack([total, padded[:-2] + SIDEWAYS, padded[2:] + SIDEWAYS])
        choice = candidates.argmin(axis=0)
        steps[i] = np.array([0, -1, 1], np.int8)[choice]
        total = row + candidates.min(axis=0)
    return total, steps


def _trace(steps: NDArray[np.int8]) -> NDArray[np.intp]:
    """Return the columns (w, h) of the paths that end at each column of the last row, from there to the first."""
    path = [np.arange(steps.shape[1])]
    for row in steps[::-1]:
        path.append(path[-1] + row[path[-1]])
    return np.stack(path, axis=1)


def _cheapest(
    depths: NDArray[np.float64], areas: NDArray[np.float64], total: float, least: float, most: int
) -> NDArray[np.intp]:
    """Return which paths to take (n,), from left to right: the least deep that leave foreground between each other.

    Args:
        depths: of each path (w,).
        areas: foreground to the left of each (w,).
        total: all foreground.
        least: foreground of a part.
        most: paths to take.
    """
    chosen: list[int] = []
    taken = [0.0, total]
    for i in np.argsort(depths, kind="stable"):
        if len(chosen) == most or depths[i] > MAX_DEPTH:
            break
        if min(abs(areas[i] - area) for area in taken) >= least:
            chosen.append(int(i))
            taken.append(areas[i])
    return np.sort(np.array(chosen, np.intp))
