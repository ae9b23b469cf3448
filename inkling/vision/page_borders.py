"""The borders around a picture inside a picture: bars, a page, a screenshot, a frame along the edges.

A border has one level, and the picture inside it clearly begins: it is a rectangle, and nearly every pixel along its
sides differs from the border. A digit is never taken for such a picture: its strokes do not fill the sides of its box.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Box, Floats, Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.segmentation import component_boxes

LABEL_SIDE = 128
"""Pixels of the longer side on which the inner picture is searched; its sides are then found in the whole picture."""
MIN_TOLERANCE, MAX_TOLERANCE = 6.0, 40.0
"""Gray levels that a border may deviate from its own level: more with more noise."""
RINGING = 0.06
"""Share of the contrast that a border deviates from its level where JPEG rings around what it surrounds."""
UNIFORM = 0.9
"""Share of an edge's pixels that must have the border's level."""
FILLED = 0.8
"""Share of the pixels along a side of the inner picture that must differ from the border."""
HALF_FILLED = 0.5
"""Share at which the inner picture may have begun: the next rows must be filled."""
RING_DEPTHS = (0.1, 0.18, 0.25)
"""Of the inner picture's sides: it is looked at that far behind its outline. No outline of a box or 0 is so thick."""
MAX_CONTACT = 0.12
"""Share of a side's pixels that may have the border's level at all: with more, it is a side of a thick stroke."""
MOST = 0.7
"""Share of a connected component that the inner picture must be; the rest is text that touches it."""
CORNER_FILLED = 0.6
"""Share of a corner of the inner picture, an eighth of each side, that must differ from the border."""
CONTACT = 0.02
"""Share of a side's pixels that may have the border's level if the border is surely no stroke."""
MIN_SHARE = 1 / 8
"""Of the picture's sides, for each side of the inner picture."""
MIN_INNER_SIDE = 20
"""Pixels."""
MIN_CONTRAST = 8
"""Gray levels in the inner picture: with less it is blank, and may be the paper inside a digit of straight strokes."""
MAX_INNER_ASPECT_RATIO = 4
FRAME_SHARE = 0.06
"""Of the inner picture's side: a border on all four sides is a frame if no side of it is thicker."""


@dataclass(frozen=True)
class InnerPicture:
    """The rectangle that a border surrounds."""

    box: Box
    is_frame: bool
    """Whether the border is a thin line on all four sides."""
    is_sure: bool
    """Whether the border is surely no stroke of the digit."""


def find_inner_picture(gray: Gray | Floats) -> InnerPicture | None:
    """Return the picture inside the outermost border of a picture (h, w), or None if it has no border."""
    for level, tolerance in _border_levels(gray):
        is_inner = _differs(gray, level, tolerance)
        inner = _inner_picture(gray, is_inner, level)
        if inner is not None:
            return inner
    return None


def _border_levels(gray: Gray | Floats) -> Iterator[tuple[float, float]]:
    """Yield the level and the tolerance of each edge that has one level, once if edges share it."""
    seen: list[float] = []
    low, high = float(gray.min()), float(gray.max())
    for edge in (gray[0], gray[-1], gray[:, 0], gray[:, -1]):
        level = float(np.median(edge))
        deviations = np.abs(edge - np.float32(level))
        ringing = RINGING * max(high - level, level - low)
        tolerance = max(MIN_TOLERANCE, ringing, 6 * float(np.median(deviations)))
        if tolerance > MAX_TOLERANCE or (deviations <= tolerance).mean() < UNIFORM:
            continue
        if all(abs(level - other) > MIN_TOLERANCE for other in seen):
            seen.append(level)
            yield level, tolerance


def _differs(gray: Gray | Floats, level: float, tolerance: float) -> Mask:
    """Return which pixels differ from a level by more than a tolerance."""
    low, high = level - tolerance, level + tolerance
    if gray.dtype == np.uint8:  # compared as bytes, which is five times as fast
        low, high = max(0, math.ceil(low)), min(255, math.floor(high))
    differs: Mask = (gray < gray.dtype.type(low)) | (gray > gray.dtype.type(high))
    return differs


def _inner_picture(gray: Gray | Floats, is_inner: Mask, level: float) -> InnerPicture | None:
    height, width = gray.shape
    rough = _rough_box(is_inner)
    if rough is None:
        return None
    box = _straight_sides(is_inner, rough)
    if box is None or box == (0, 0, width, height):
        return None
    contact = _contact(is_inner, box)
    box = _inside_soft_edges(gray, box, level)
    left, top, right, bottom = box
    inner = gray[top:bottom, left:right]
    short, long = min(inner.shape), max(inner.shape)
    if short < max(MIN_INNER_SIDE, MIN_SHARE * max(height, width)) or long > MAX_INNER_ASPECT_RATIO * short:
        return None
    if not _is_rectangle(is_inner[top:bottom, left:right]) or float(inner.max()) - float(inner.min()) < MIN_CONTRAST:
        return None
    widths = np.array([left, top, width - right, height - bottom])
    if contact > MAX_CONTACT or (contact > CONTACT and (widths > 0).sum() == 1):
        return None  # a stroke along an edge of a picture cropped to its digit, as the bar of a 7
    return InnerPicture(
        box,
        is_frame=bool((widths > 0).all() and widths.max() <= FRAME_SHARE * long),
        is_sure=contact <= CONTACT,
    )


def _rough_box(is_inner: Mask) -> Box | None:
    """Return about the box of the inner picture, in pixels of the mask (h, w): a few pixels too large or too small.

    It is the connected component with the largest box, without text and buttons that touch it: rows and columns that
    are filled for less than half are left out.
    """
    step = -(-max(is_inner.shape) // LABEL_SIDE)
    shares = np.asarray(Image.fromarray(is_inner.view(np.uint8) * np.uint8(255)).reduce(step))
    labels, count = label(shares > 0)
    if not count:
        return None
    boxes = component_boxes(labels, count)  # (count, 4)
    largest = int((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax())
    top, left, bottom, right = boxes[largest].tolist()
    component = np.where(labels == largest + 1, shares, 0)
    for _ in range(3):
        rows = np.flatnonzero(component[top:bottom, left:right].mean(axis=1) >= 127)
        if not len(rows):
            return None
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        columns = np.flatnonzero(component[top:bottom, left:right].mean(axis=0) >= 127)
        if not len(columns):
            return None
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    if component[top:bottom, left:right].sum() < MOST * component.sum():
        return None
    height, width = is_inner.shape
    left, top, right, bottom = (side * step for side in (left, top, right, bottom))
    return max(0, left - step), max(0, top - step), min(width, right + step), min(height, bottom + step)


def _straight_sides(is_inner: Mask, rough: Box) -> Box | None:
    """Return the box whose outermost rows and columns differ from the border almost everywhere; None if one does not.

    Args:
        is_inner: where the picture differs from its border (h, w).
        rough: about this box.
    """
    left, top, right, bottom = rough
    step = -(-max(is_inner.shape) // LABEL_SIDE)
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
    return start if start - int((shares >= HALF_FILLED).argmax()) <= 2 + len(shares) // 16 else None


def _contact(is_inner: Mask, box: Box) -> float:
    """Return the largest share of border's level along a side of the inner picture: strokes that touch the border."""
    height, width = is_inner.shape
    left, top, right, bottom = box
    inner = is_inner[top:bottom, left:right]
    sides = ((inner[1], top > 0), (inner[-2], bottom < height), (inner[:, 1], left > 0), (inner[:, -2], right < width))
    return max(1 - float(side[1:-1].mean()) for side, is_cut in sides if is_cut)


def _inside_soft_edges(gray: Gray | Floats, box: Box, level: float) -> Box:
    """Return the box without the rows and columns in which a blurred edge or a drop shadow passes to the border."""
    left, top, right, bottom = box
    inner = gray[top:bottom, left:right]
    height, width = gray.shape
    before, behind = (_soft_width(side, level) for side in (inner.T, inner.T[::-1]))
    above, below = (_soft_width(side, level) for side in (inner, inner[::-1]))
    return (
        left + (before if left else 0),
        top + (above if top else 0),
        right - (behind if right < width else 0),
        bottom - (below if bottom < height else 0),
    )


def _soft_width(inner: Gray | Floats, level: float) -> int:
    """Return how many of the first rows (h, w) have another level than those a little further inside."""
    depth = max(2, min(12, len(inner) // 40))
    levels = np.median(inner[: depth + 1], axis=1)
    inside = levels[-1]
    return int((np.abs(levels - inside) <= max(2.0, 0.05 * abs(inside - level))).argmax())


def _is_rectangle(inner: Mask) -> bool:
    """Return whether the inner picture differs from the border in its corners, and behind its outline, too.

    The loop of a digit does not fill its corners; a printed box is filled by its outline only.
    """
    height, width = inner.shape
    y, x = max(2, height // 8), max(2, width // 8)
    corners = (inner[:y, :x], inner[:y, -x:], inner[-y:, :x], inner[-y:, -x:])
    return all(corner.mean() >= CORNER_FILLED for corner in corners) and all(
        _ring(inner, round(depth * height), round(depth * width)).mean() >= HALF_FILLED for depth in RING_DEPTHS
    )


def _ring(inner: Mask, y: int, x: int) -> Mask:
    """Return the pixels (n,) of a rectangle that lies `y` rows and `x` columns behind the sides."""
    return np.concatenate([inner[y, x:-x], inner[-1 - y, x:-x], inner[y:-y, x], inner[y:-y, -1 - x]])
