"""The borders around a picture inside a picture: bars, a page, a screenshot, a frame along the edges.

A border has one level, and the picture inside it clearly begins: it is a rectangle, and nearly every pixel along its
sides differs from the border. A digit is never taken for such a picture: its strokes do not fill the sides of its box.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from inkling.digit import Box, Floats, Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.inner_sides import (
    HALF_FILLED,
    begins_clearly,
    contact_with_border,
    inside_corners,
    inside_soft_edges,
    is_rectangle,
    least_corner,
    straight_sides,
)
from inkling.vision.order_statistics import median
from inkling.vision.pooling import share
from inkling.vision.segmentation import component_boxes

LABEL_SIDE = 128
"""Pixels of the longer side on which the inner picture is searched; its sides are then found in the whole picture."""
MIN_TOLERANCE, MAX_TOLERANCE = 6.0, 40.0
"""Gray levels that a border may deviate from its own level: more with more noise."""
RINGING = 0.06
"""Share of the contrast that a border deviates from its level where JPEG rings around what it surrounds."""
WEAK_TOLERANCE = 2.5
"""Gray levels that a border without noise may deviate where nothing rings: beside a picture of nearly its level."""
WEAK_SHARE = 1 / 16
"""Of the picture: so much must lie between the two tolerances for the lower one to be tried."""
SAMPLE_STEP = 4
"""Rows and columns: every fourth pixel is enough to see how much lies between the tolerances."""
UNIFORM = 0.9
"""Share of an edge's pixels that must have the border's level."""
MAX_CONTACT = 0.12
"""Share of a side's pixels that may have the border's level at all: with more, it is a side of a thick stroke."""
CROSSING = 0.85
"""The same, where a soft edge passes from a darker level to a lighter one through that of the border."""
MOST = 0.7
"""Share of a connected component that the inner picture must be; the rest is text that touches it."""
CONTACT = 0.02
"""Share of a side's pixels that may have the border's level if the border is surely no stroke."""
MIN_SHARE = 1 / 14
"""Of the picture's longer side, for each side of the inner picture."""
MIN_INNER_SIDE = 16
"""Pixels."""
MIN_CONTRAST = 8
"""Gray levels in the inner picture: with less it is blank, and may be the paper inside a digit of straight strokes."""
CERTAIN_SHARE, CERTAIN_SIDE, CERTAIN_CONTRAST = 1 / 8, 20, 0.25
"""A smaller picture than these of MIN_SHARE and MIN_INNER_SIDE has this share of the contrast: a stroke has not."""
MIN_STEP = 0.6
"""Of the tolerance: the step in level at the sides of the inner picture. Paper that darkens slowly has none."""
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
    """Return the picture inside the outermost border of a picture (h, w), or None if it has no border.

    Of several, as of the bars of a screenshot and the picture between them, it is the one with the longest short side.
    """
    found = [inner for level, tolerance in _border_levels(gray) if (inner := _inside_border(gray, level, tolerance))]
    return max(found, key=lambda inner: min(inner.box[2] - inner.box[0], inner.box[3] - inner.box[1]), default=None)


def _inside_border(gray: Gray | Floats, level: float, tolerance: float) -> InnerPicture | None:
    """Return the picture that a border of a level surrounds, at a low tolerance, too, if much is close to the level."""
    inner = _inner_picture(gray, _differs(gray, level, tolerance), level, tolerance)
    if inner is not None or tolerance <= WEAK_TOLERANCE:
        return inner
    sample = gray[::SAMPLE_STEP, ::SAMPLE_STEP]
    is_close = _differs(sample, level, WEAK_TOLERANCE) & ~_differs(sample, level, tolerance)
    if share(is_close) < WEAK_SHARE:
        return None
    return _inner_picture(gray, _differs(gray, level, WEAK_TOLERANCE), level, WEAK_TOLERANCE)


def _border_levels(gray: Gray | Floats) -> Iterator[tuple[float, float]]:
    """Yield the level and the tolerance of each edge that has one level, once if edges share it."""
    seen: list[float] = []
    low, high = float(gray.min()), float(gray.max())
    for edge in (gray[0], gray[-1], gray[:, 0], gray[:, -1]):
        is_even = bool((edge == edge[0]).all())  # as of most drawings: then a median need not be found
        if is_even and float(edge[0]) in seen:
            continue
        level = float(edge[0]) if is_even else median(edge)
        deviations = np.abs(edge - np.float32(level))
        ringing = RINGING * max(high - level, level - low)
        tolerance = max(MIN_TOLERANCE, ringing, 0.0 if is_even else 6 * median(deviations))
        if tolerance > MAX_TOLERANCE or share(deviations <= tolerance) < UNIFORM:
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


def _inner_picture(gray: Gray | Floats, is_inner: Mask, level: float, tolerance: float) -> InnerPicture | None:
    height, width = gray.shape
    rough = _rough_box(is_inner)
    outer = None if rough is None else straight_sides(is_inner, rough, _label_step(gray.shape))
    if outer is None or outer == (0, 0, width, height):
        return None
    box = inside_soft_edges(gray, outer, level)
    if not _is_large(gray, box):
        return None
    box = left, top, right, bottom = inside_corners(is_inner, box)
    widths = np.array([left, top, width - right, height - bottom])
    is_one_sided = (widths > 0).sum() == 1
    most = 50 if is_one_sided else 25
    if not begins_clearly(gray, outer, box, MIN_STEP * tolerance, most) or not is_rectangle(
        is_inner[top:bottom, left:right]
    ):
        return None
    if MAX_CONTACT < contact_with_border(is_inner, outer) < CROSSING and least_corner(is_inner, outer) < HALF_FILLED:
        return None  # a small loop, whose round outline was taken for a soft edge
    contact = contact_with_border(is_inner, box)
    must_be_sure = is_one_sided or min(right - left, bottom - top) < CERTAIN_SIDE
    if contact > (CONTACT if must_be_sure else MAX_CONTACT) or (is_one_sided and tolerance == WEAK_TOLERANCE):
        return None  # a stroke along an edge of a picture cropped to its digit, as the bar of a 7
    is_around = bool((widths > 0).all())  # as no stroke is
    is_frame = is_around and bool(widths.max() <= FRAME_SHARE * max(right - left, bottom - top))
    return InnerPicture(box, is_frame=is_frame, is_sure=is_around or contact <= CONTACT)


def _is_large(gray: Gray | Floats, box: Box) -> bool:
    """Return whether the part of a picture is large and varied enough for a picture of a digit."""
    left, top, right, bottom = box
    inner = gray[top:bottom, left:right]
    short, long = min(inner.shape), max(inner.shape)
    longest = max(gray.shape)
    if short < max(MIN_INNER_SIDE, MIN_SHARE * longest) or long > MAX_INNER_ASPECT_RATIO * short:
        return False
    contrast = float(inner.max()) - float(inner.min())
    if short >= max(CERTAIN_SIDE, CERTAIN_SHARE * longest):
        return contrast >= MIN_CONTRAST
    return contrast >= CERTAIN_CONTRAST * (float(gray.max()) - float(gray.min()))


def _label_step(shape: tuple[int, ...]) -> int:
    return -(-max(shape) // LABEL_SIDE)


def _rough_box(is_inner: Mask) -> Box | None:
    """Return about the box of the inner picture, in pixels of the mask (h, w): a few pixels too large or too small.

    It is the connected component with the largest box, without text and buttons that touch it: rows and columns that
    are filled for less than half are left out.
    """
    step = _label_step(is_inner.shape)
    shares = np.asarray(Image.fromarray(is_inner.view(np.uint8) * np.uint8(255)).reduce(step))
    labels, count = label(shares > 0)
    if not count:
        return None
    boxes = component_boxes(labels, count)  # (count, 4)
    largest = int((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax())
    top, left, bottom, right = boxes[largest].tolist()
    component = np.where(labels == largest + 1, shares, 0)
    for _ in range(3):
        rows = np.flatnonzero(_half_filled(component[top:bottom, left:right].T))
        if not len(rows):
            return None
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        columns = np.flatnonzero(_half_filled(component[top:bottom, left:right]))
        if not len(columns):
            return None
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    if component[top:bottom, left:right].sum() < MOST * component.sum():
        return None
    height, width = is_inner.shape
    left, top, right, bottom = (side * step for side in (left, top, right, bottom))
    return max(0, left - step), max(0, top - step), min(width, right + step), min(height, bottom + step)


def _half_filled(shares: Gray) -> Mask:
    """Return which columns (w,) of the shares (h, w), 0 to 255, are filled for half or more."""
    half_filled: Mask = shares.sum(axis=0, dtype=np.uint32) >= 127 * len(shares)
    return half_filled
