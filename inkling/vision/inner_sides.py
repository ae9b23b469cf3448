"""The sides of a picture inside a picture: where they begin, soft edges, rounded corners, strokes that touch them.

A mask says where the picture differs from its border.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Box, Floats, Gray, Mask

FILLED = 0.8
"""Share of the pixels along a side of the inner picture that must differ from the border."""
HALF_FILLED = 0.5
"""Share at which the inner picture may have begun: the next rows must be filled."""
RING_DEPTHS = (0.05, 0.1, 0.18, 0.25)
"""Of the inner picture's sides: it is looked at that far behind its outline. No outline of a box or 0 is so thick."""
RING_FILLED = 0.3
"""Share of the pixels that far behind the outline that must differ from the border. The digit may have its level."""
SOFTEST = 8
"""The widest soft edge is one part in so many of the inner picture's side."""
PAPER_PERCENTILE = 80
"""Of a row's deviations from the border's level: the paper's, if the digit leaves a fifth of the row free."""
CORNER_FILLED = 0.6
"""Share of a corner of the inner picture, an eighth of each side, that must differ from the border."""


def straight_sides(is_inner: Mask, rough: Box, step: int) -> Box | None:
    """Return the box whose outermost rows and columns differ from the border almost everywhere; None if one does not.

    Args:
        is_inner: where the picture differs from its border (h, w).
        rough: about this box.
        step: pixels that each side of it may be off.
    """
    left, top, right, bottom = rough
    depth_y, depth_x = (2 * step + 2 + side // 50 for side in (bottom - top, right - left))
    inner = is_inner[top:bottom, left:right]
    # In rows and columns that surely are inside, so that the rough box's own margin does not count.
    rows, columns = inner[depth_y:-depth_y], inner[:, depth_x:-depth_x]
    if not rows.size or not columns.size:
        return None
    ends = [columns[:depth_y].mean(axis=1), columns[::-1][:depth_y].mean(axis=1)]
    ends += [rows[:, :depth_x].mean(axis=0), rows[:, ::-1][:, :depth_x].mean(axis=0)]
    starts = [_start(end) for end in ends]
    if None in starts:
        return None
    above, below, before, behind = (start or 0 for start in starts)
    return left + before, top + above, right - behind, bottom - below


def _start(shares: NDArray[np.float64]) -> int | None:
    """Return the first row of the inner picture, given the share (n,) of each row that differs from the border.

    None if it does not begin at once: the strokes of a digit fill more of each row, little by little.
    """
    is_filled = shares >= FILLED
    if not is_filled.any():
        return None
    start = int(is_filled.argmax())
    below_half = np.flatnonzero(shares[:start] < HALF_FILLED)  # rows before these are noise
    first = int(below_half[-1]) + 1 if len(below_half) else 0
    return start if start - first <= 2 + len(shares) // 16 else None


def inside_soft_edges(gray: Gray | Floats, box: Box, level: float) -> Box:
    """Return the box without the rows and columns in which a blurred edge or a drop shadow passes to the border."""
    left, top, right, bottom = box
    inner = gray[top:bottom, left:right]
    sides = (inner.T, inner, inner.T[::-1], inner[::-1])
    return _inset(box, [_soft_width(side, level) for side in sides], gray.shape)


def _inset(box: Box, widths: Sequence[int], shape: tuple[int, ...]) -> Box:
    """Return the box, smaller by widths at its left, top, right and bottom, unless there it ends with the picture."""
    left, top, right, bottom = box
    return (
        left + (widths[0] if left else 0),
        top + (widths[1] if top else 0),
        right - (widths[2] if right < shape[1] else 0),
        bottom - (widths[3] if bottom < shape[0] else 0),
    )


def _soft_width(inner: Gray | Floats, level: float) -> int:
    """Return how many of the first rows (h, w) have another level than those a little further inside.

    If more than two thirds of the rows that are looked at have, the edge may be very soft: twice as many are looked at.
    """
    depth = max(2, min(40, len(inner) // 30))
    width = first_width = _first_steady_row(inner[: depth + 1], level)
    while width > depth * 2 / 3:
        depth *= 2
        if depth > len(inner) // SOFTEST:
            return first_width
        width = _first_steady_row(inner[: depth + 1], level)
    return width


def _first_steady_row(rows: Gray | Floats, level: float) -> int:
    """Return the first of rows (n, w) that has the level of the last one, seen from the level of the border.

    That level is the paper's, also where the digit has the border's level and takes most of the row.
    """
    deviations = np.median(rows, axis=1) - level
    paper = np.percentile(np.abs(rows - np.float32(level)), PAPER_PERCENTILE, axis=1)
    if abs(deviations[-1]) < paper[-1] / 2:
        deviations = paper
    inside = deviations[-1]
    return int((np.abs(deviations - inside) <= max(2.0, 0.05 * abs(inside))).argmax())


def inside_corners(is_inner: Mask, box: Box) -> Box:
    """Return the box, smaller by what rounded corners leave of the border on its diagonals."""
    left, top, right, bottom = box
    inner = is_inner[top:bottom, left:right]
    reach = np.arange(max(1, min(inner.shape) // 16))
    corners = [side[reach, reach] for side in (inner, inner[::-1], inner[:, ::-1], inner[::-1, ::-1])]  # on diagonals
    return _inset(box, [max(int(corner.argmax()) for corner in corners)] * 4, is_inner.shape)


def begins_clearly(gray: Gray | Floats, outer: Box, inner: Box, least: float, percentile: float) -> bool:
    """Return whether the level steps at the sides of an inner picture, and does not go on changing behind them.

    A stroke goes on changing, as does paper that slowly darkens toward an edge of a photograph.

    Args:
        gray: the whole picture (h, w).
        outer: the inner picture with its soft edges.
        inner: the inner picture.
        least: the smallest step, in gray levels.
        percentile: of the pixels along a side, those that must not go on changing. The others may be strokes.
    """
    for turn in range(4):
        side = np.rot90(gray, turn)  # the side in question is above
        start, (low, top, high) = _turned(outer, gray.shape, turn)[1], _turned(inner, gray.shape, turn)[:3]
        if start == 0:
            continue
        rows = side[[max(0, start - 3), top + 1, min(len(side) - 1, 2 * top - start + 5)], low:high].astype(np.float32)
        step, change = np.abs(np.diff(rows, axis=0))
        if np.median(step) < max(least, 2 * float(np.percentile(change, percentile))):
            return False
    return True


def _turned(box: Box, shape: tuple[int, ...], turn: int) -> Box:
    """Return the box in a picture (h, w) that is turned to the left, so many times by 90 degrees."""
    left, top, right, bottom = box
    height, width = shape
    return (
        box,
        (top, width - right, bottom, width - left),
        (width - right, height - bottom, width - left, height - top),
        (height - bottom, left, height - top, right),
    )[turn]


def contact_with_border(is_inner: Mask, box: Box) -> float:
    """Return the largest share of border's level along a side of the inner picture: strokes that touch the border."""
    height, width = is_inner.shape
    left, top, right, bottom = box
    inner = is_inner[top:bottom, left:right]
    sides = ((inner[1], top > 0), (inner[-2], bottom < height), (inner[:, 1], left > 0), (inner[:, -2], right < width))
    return max((1 - float(side[1:-1].mean()) for side, is_cut in sides if is_cut), default=0.0)


def is_rectangle(inner: Mask) -> bool:
    """Return whether the inner picture differs from the border in its corners, and behind its outline, too.

    The loop of a digit does not fill its corners; a printed box is filled by its outline only.
    """
    height, width = inner.shape
    return least_corner(inner, (0, 0, width, height)) >= CORNER_FILLED and all(
        _ring(inner, round(depth * height), round(depth * width)).mean() >= RING_FILLED for depth in RING_DEPTHS
    )


def least_corner(is_inner: Mask, box: Box) -> float:
    """Return the smallest share of a corner of a box, an eighth of each side, that differs from the border."""
    left, top, right, bottom = box
    y, x = max(2, (bottom - top) // 8), max(2, (right - left) // 8)
    inner = is_inner[top:bottom, left:right]
    return float(min(corner.mean() for corner in (inner[:y, :x], inner[:y, -x:], inner[-y:, :x], inner[-y:, -x:])))


def _ring(inner: Mask, y: int, x: int) -> Mask:
    """Return the pixels (n,) of a rectangle that lies `y` rows and `x` columns behind the sides."""
    return np.concatenate([inner[y, x:-x], inner[-1 - y, x:-x], inner[y:-y, x], inner[y:-y, -1 - x]])
