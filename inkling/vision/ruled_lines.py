"""The removal of ruled, squared and margin lines from paper, keeping the strokes that cross them.

A line runs straight from edge to edge, tilted by a few degrees; a digit does not. So the picture is sheared until its
lines are level. Then a low percentile of each row shows the lines alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats, Mask
from inkling.vision.foreground import estimate_noise

MAX_SLOPE = 0.1
"""Pixels down per pixel to the right: 5.7 degrees."""
STRIPS = 12
"""Vertical strips of the picture, in which a tilted line is nearly level, so that its tilt is quickly found."""
SHARE = 0.72
"""A line covers at least this share of its way across the picture; the rest may be worn or outside of the paper."""
LEAST_LEVEL = 0.1
"""Of a line, as a share of the level of strokes. Fainter ones are below the threshold of the foreground's mask."""
MAX_WIDTH = 1 / 20
"""Of a line, as a share of the picture; a wider one may be a stroke."""
MAX_COVERED = 0.6
"""If lines cover a larger share of the rows, too little is left to interpolate from."""
SURE_COUNT = 3
"""Fewer lines may be strokes of a digit that fills its picture."""
LEAST_REST = 0.3
"""If fewer lines hold all but this share of the foreground, they are the digit, or most of it."""
MIN_SIDE = 40
"""Pixels of the shorter side of a picture in which lines are looked for."""


class Unruled(NamedTuple):
    """A picture without its lines."""

    strokes: Floats
    """(h, w), 0 for paper, more for strokes."""
    is_sure: bool
    """Whether they were certainly lines."""


class Level(NamedTuple):
    """A picture sheared so that its lines are level, with `pad` more rows above and below."""

    rows: Floats
    """(h + 2 pad, w)"""
    is_inside: Mask
    """(h + 2 pad, w): false where the source lies outside of the picture."""
    offsets: NDArray[np.float64]
    """(w,): row of a source in the picture, minus its row here."""


def remove_ruled_lines(strokes: Floats) -> Unruled | None:
    """Return the strokes (h, w), 0 for paper, without lines from edge to edge; None if it has none."""
    if min(strokes.shape) < MIN_SIDE:
        return None
    full, noise = _mean_of_largest(strokes), estimate_noise(strokes)
    level = _remove_level_lines(strokes, full, noise)
    upright = _remove_level_lines((strokes if level is None else level.strokes).T, full, noise)
    if upright is None:
        unruled = level
    else:
        unruled = Unruled(upright.strokes.T, upright.is_sure or (level is not None and level.is_sure))
    if unruled is None or unruled.is_sure:
        return unruled
    rest = (unruled.strokes > full / 2).sum() / max(1, (strokes > full / 2).sum())
    return unruled if rest > LEAST_REST else None


def _remove_level_lines(strokes: Floats, full: float, noise: float) -> Unruled | None:
    """Remove lines from left to right; None if there are none."""
    slope = _find_slope(strokes, LEAST_LEVEL * full)
    if slope is None:
        return None
    level = _shear(strokes, slope)
    line_levels = _line_levels(level, max(LEAST_LEVEL * full, 6 * noise / np.sqrt(strokes.shape[1])))
    lines = [line for line in _runs(line_levels > 0) if line[1] - line[0] <= max(3, MAX_WIDTH * len(strokes))]
    is_sure = len(lines) >= SURE_COUNT
    is_line = np.zeros(len(level.rows), bool)
    for start, end in lines:
        if is_sure or _reaches_both_ends(level, start + int(line_levels[start:end].argmax()), line_levels):
            is_line[max(0, start - 1) : end + 1] = True
    if not is_line.any() or is_line.mean() > MAX_COVERED:
        return None
    cleaned = _clean_rows(level.rows, is_line, line_levels, full)
    return Unruled(_shear_back(strokes, cleaned, is_line, level.offsets), is_sure)


def _find_slope(strokes: Floats, least: float) -> float | None:
    """Return the slope at which the rows show lines best; None if too few strips of the picture have lines."""
    height, width = strokes.shape
    edges = np.linspace(0, width, STRIPS + 1).astype(int)
    strips = np.add.reduceat(strokes, edges[:-1], axis=1) / np.diff(edges)  # (h, strips)
    reach = max(2, round(MAX_WIDTH * height))
    rises = strips[reach:] - strips[:-reach]
    if (np.maximum(rises.max(axis=0), -rises.min(axis=0)) > least / 3).mean() < SHARE:
        return None
    centers = (edges[:-1] + edges[1:]) / 2 - width / 2
    farthest = int(MAX_SLOPE * width)
    slopes = np.arange(-farthest, farthest + 1) / width
    shifts = np.rint(slopes[:, np.newaxis] * centers).astype(int)  # (slopes, strips)
    sources = np.clip(np.arange(height)[:, np.newaxis] + shifts[:, np.newaxis, :], 0, height - 1)
    # Of slopes at which a line covers its share of the strips, that at which it covers nearly all.
    ranks = (1, int(STRIPS * (1 - SHARE)))
    profiles = np.sort(strips[sources, np.arange(STRIPS)], axis=2)[..., ranks]  # (slopes, h, 2)
    rises = np.maximum(np.diff(profiles, axis=1), 0)
    return float(slopes[(rises**2).sum(axis=(1, 2)).argmax()])


def _shear(strokes: Floats, slope: float) -> Level:
    height, width = strokes.shape
    offsets = slope * (np.arange(width) - (width - 1) / 2)
    pad = int(np.ceil(np.abs(offsets).max()))
    sources = np.arange(-pad, height + pad)[:, np.newaxis] + offsets
    upper = np.floor(sources).astype(int)
    last, columns = height - 1, np.arange(width)
    above, below = strokes[np.clip(upper, 0, last), columns], strokes[np.clip(upper + 1, 0, last), columns]
    rows = above + (below - above) * (sources - upper).astype(np.float32)
    return Level(rows, (sources >= 0) & (sources <= last), offsets - pad)


def _line_levels(level: Level, least: float) -> Floats:
    """Return the level of the line in each row (h,), 0 where there is none."""
    counts = level.is_inside.sum(axis=1)
    ranked = np.sort(np.where(level.is_inside, level.rows, np.inf), axis=1)
    rows = np.arange(len(counts))
    low, median = ranked[rows, (counts * (1 - SHARE)).astype(int)], ranked[rows, counts // 2]
    is_long = counts > level.rows.shape[1] / 8
    low = np.where(is_long, low, np.median(low[is_long]))
    reach = max(3, round(MAX_WIDTH * len(rows)))
    padded = np.pad(low, reach, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    levels: Floats = np.where(is_long & (low - around > least), median, 0).astype(np.float32)
    return levels


def _runs(is_line: Mask) -> list[tuple[int, int]]:
    """Return of each run of true values the first index and the one after its last."""
    steps = np.diff(is_line.astype(np.int8), prepend=0, append=0)
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def _reaches_both_ends(level: Level, row: int, line_levels: Floats) -> bool:
    """Return whether the line in a row begins and ends at the picture's edges, as strokes rarely do."""
    pixels = level.rows[row, level.is_inside[row]]
    count = max(2, len(pixels) // STRIPS)
    return bool(min(np.median(pixels[:count]), np.median(pixels[-count:])) > line_levels[row] / 2)


def _clean_rows(rows: Floats, is_line: Mask, line_levels: Floats, full: float) -> Floats:
    """Return the rows without lines: the median of what is darker than the line, and of the rows on its two sides."""
    numbers = np.arange(len(rows))
    above = np.maximum.accumulate(np.where(is_line, -1, numbers))
    below = np.minimum.accumulate(np.where(is_line, len(rows), numbers)[::-1])[::-1]
    above, below = np.where(above < 0, below, above), np.where(below == len(rows), above, below)
    padded = np.pad(line_levels, 1)
    line = np.maximum(line_levels, np.maximum(padded[:-2], padded[2:]))[is_line, np.newaxis]
    on_line = np.clip((rows[is_line] - line) / np.maximum(full - line, 0.1 * full), 0, 1) * full
    sides = np.stack([rows[above[is_line]], rows[below[is_line]]])  # (2, lines, w)
    cleaned = rows.copy()
    # A stroke may cross the line at a slant: beside it, it is up to a pixel to the left or right.
    cleaned[is_line] = np.maximum(np.minimum(on_line, _widen(sides.max(axis=0))), sides.min(axis=0))
    return cleaned


def _shear_back(strokes: Floats, cleaned: Floats, is_line: Mask, offsets: NDArray[np.float64]) -> Floats:
    """Return the picture (h, w) with its lines replaced by the cleaned ones."""
    columns = np.arange(strokes.shape[1])
    sources = np.arange(len(strokes))[:, np.newaxis] - offsets
    upper = np.floor(sources).astype(int)
    lower = np.minimum(upper + 1, len(cleaned) - 1)
    above, below = cleaned[upper, columns], cleaned[lower, columns]
    values = above + (below - above) * (sources - upper).astype(np.float32)
    restored: Floats = np.where(is_line[upper] | is_line[lower], values, strokes)
    return restored


def _widen(rows: Floats) -> Floats:
    """Return the largest of each pixel and its neighbors to the left and the right."""
    padded = np.pad(rows, ((0, 0), (1, 1)), mode="edge")
    widened: Floats = np.maximum(rows, np.maximum(padded[:, :-2], padded[:, 2:]))
    return widened


def _mean_of_largest(strokes: Floats) -> float:
    """Return the mean of the largest 0.5 %: that of strokes."""
    count = max(8, strokes.size // 200)
    return float(max(1.0, np.partition(strokes.ravel(), -count)[-count:].mean()))
