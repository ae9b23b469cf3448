"""Printed boxes and form cells around a digit: outlines that are closed or nearly so, found by the area they enclose.

The loop of a 0, 6, 8 or 9 is never taken for a box: it has no strokes inside.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Box, Floats, Gray, Mask
from inkling.vision.box_blur import box_blur
from inkling.vision.connected_components import label
from inkling.vision.order_statistics import GrayLevels, median
from inkling.vision.placement import bounding_box
from inkling.vision.pooling import WORK_SIDE, close, dilate, min_pool, share, upsample
from inkling.vision.segmentation import component_boxes

GAPS = (0.006, 0.02)
"""Of the picture's side: half of the widest gap in an outline that is closed; the smaller one is tried first."""
WIDEST_LINE = 0.3
"""Of the picture's side: the widest line and stroke; what is wider is background."""
MIN_DEPTH = 8
"""Gray levels between a line and its background."""
FAINTEST = 0.12
"""Of the contrast of the picture: the faintest line that is seen."""
MIN_AREA = 0.05
"""Of the picture: the area inside a box."""
RECTANGULAR = 0.8
"""Share of its bounding box that the inside of a box fills: a square that is tilted by 5 degrees fills 0.85."""
MIN_CONTENT = 0.3
"""Of the inside of a box, in width or height: the least of the strokes in it."""
MIN_COVER = 0.75
"""Share of a side of its bounding box along which an outline runs."""
CUT_COVER = 0.95
"""The same, if the picture's edge cuts off other sides: such a line runs to the edge; a digit does not."""
TOUCHED_COVER, TOUCHED_RECTANGULAR = 0.9, 0.88
"""The same, and RECTANGULAR, if the strokes inside touch the outline: it might be a part of the digit."""
SMALLEST = 0.1
"""Of the picture's longer side: what is smaller is neither a line nor a digit."""
MAX_MARKED = 0.3
"""Share of the picture that lines and strokes may cover if the picture's edge has their level."""
UNIFORM = 0.9
"""Share of the background's pixels that must have one level to be painted with it."""
MAX_REGIONS = 4


@dataclass(frozen=True)
class Cell:
    """The inside of a printed box."""

    gray: Gray | Floats
    """(h, w): the picture inside the box, the rest of the outline painted over."""
    box: Box
    """The part of the picture that this is, in its pixels."""
    is_sure: bool
    """Whether the outline and the strokes inside are apart, so that no stroke was removed."""


@dataclass(frozen=True)
class _Marks:
    """The strokes and lines of a picture at working resolution."""

    mask: Mask
    """(h, w)"""
    labels: NDArray[np.int32]
    """(h, w): 1 to n on each connected one."""
    areas: NDArray[np.intp]
    """(n,)"""
    boxes: NDArray[np.intp]
    """(n, 4): top, left, bottom, right."""

    def select(self, chosen: Mask) -> Mask:
        """Return the pixels (h, w) of the chosen (n,) marks."""
        return np.concatenate([[False], chosen])[self.labels]


def find_cell(gray: Gray | Floats) -> Cell | None:
    """Return the inside of the printed box or form cell of a picture (h, w), or None if it shows none."""
    step = -(-max(gray.shape) // WORK_SIDE)
    marks = _find_marks(gray, step)
    if marks is None:
        return None
    for lines, gap in _outlines(marks):
        regions = _regions(dilate(lines, gap))
        found = [content for region in regions if (content := _content(marks, lines, region, gap)) is not None]
        if found:  # several are several digits, which are refused later
            keep = np.logical_or.reduce([inside for inside, _ in found])
            return _cut(gray, keep, marks, step, is_sure=all(is_sure for _, is_sure in found))
    return None


def _find_marks(gray: Gray | Floats, step: int) -> _Marks | None:
    """Return the strokes and lines: what differs from the background within the width of a line."""
    levels: Gray = np.clip(np.rint(gray), 0, 255).astype(np.uint8) if gray.dtype != np.uint8 else gray.view(np.uint8)
    usual = median(levels[::step, ::step])
    is_dark = usual - float(levels.min()) > float(levels.max()) - usual
    dark = min_pool(levels if is_dark else 255 - levels, step)  # (h, w), dark strokes
    width = max(3, round(WIDEST_LINE * max(dark.shape)))
    background = close(dark, width)
    depth = background - dark  # a closing is nowhere darker
    sample = GrayLevels(depth[::2, ::2])
    contrast = sample.percentile(99.5) - sample.median
    least = sample.median + max(MIN_DEPTH, FAINTEST * contrast, 6 * sample.median_deviation)
    mask = depth > np.uint8(min(255, int(least)))
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if share(mask) > MAX_MARKED and median(border) < median(dark) - contrast / 2:
        return None  # the strokes cover most of it, so the background was taken for lines
    labels, count = label(mask)
    if not count:
        return None
    return _Marks(mask, labels, np.bincount(labels.ravel())[1:], component_boxes(labels, count))


def _outlines(marks: _Marks) -> Iterator[tuple[Mask, int]]:
    """Yield masks (h, w) of lines, and by how many pixels to dilate them to close their gaps.

    At last, if the marks run along three sides of the box around them all, the lines with that box.
    """
    gaps = [max(1, round(gap * max(marks.mask.shape))) for gap in GAPS]
    boxes = marks.boxes[(marks.boxes[:, 2:] - marks.boxes[:, :2]).max(axis=1) >= SMALLEST * max(marks.mask.shape)]
    if not len(boxes):
        return
    top, left = boxes[:, :2].min(axis=0).tolist()
    bottom, right = boxes[:, 2:].max(axis=0).tolist()
    part = marks.mask[top:bottom, left:right]
    depth_y, depth_x = (1 + side // 12 for side in part.shape)
    covers = [part[:depth_y].any(axis=0).mean(), part[-depth_y:].any(axis=0).mean()]
    covers += [part[:, :depth_x].any(axis=1).mean(), part[:, -depth_x:].any(axis=1).mean()]
    is_outlined = sum(cover >= MIN_COVER for cover in covers) >= 3
    if len(boxes) == 1 and not is_outlined:
        return
    lines = marks.select(~_lie_inside_others(marks.boxes))
    for gap in gaps:
        yield lines, gap
    if is_outlined:
        lines = lines.copy()
        lines[top:bottom, [left, right - 1]] = True
        lines[[top, bottom - 1], left:right] = True
        yield lines, gaps[0]


def _lie_inside_others(boxes: NDArray[np.intp]) -> Mask:
    """Return which boxes (n,) lie inside one of the largest."""
    inside = np.zeros(len(boxes), np.bool_)
    for i in np.argsort((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))[::-1][:MAX_REGIONS]:
        inside |= (boxes[:, :2] > boxes[i, :2]).all(axis=1) & (boxes[:, 2:] < boxes[i, 2:]).all(axis=1)
    return inside


def _regions(closed: Mask) -> Iterator[Mask]:
    """Yield the largest areas (h, w) that outlines or the picture's edges enclose, with the holes in them filled."""
    regions, count = label(~closed)
    areas = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    for i in np.argsort(areas)[::-1][:MAX_REGIONS]:
        if areas[i] < MIN_AREA * closed.size:
            return
        region = regions == i + 1
        inside = _hull(region) | _hull(region.T).T
        box = bounding_box(inside)
        assert box is not None  # noqa: S101  the region is not empty
        left, top, right, bottom = box
        if inside.sum() >= RECTANGULAR * (right - left) * (bottom - top):
            yield inside


def _hull(region: Mask) -> Mask:
    """Return each row from its first to its last true pixel."""
    before = np.logical_or.accumulate(region, axis=1)
    behind = np.logical_or.accumulate(region[:, ::-1], axis=1)[:, ::-1]
    hull: Mask = before & behind
    return hull


def _content(marks: _Marks, lines: Mask, inside: Mask, gap: int) -> tuple[Mask, bool] | None:
    """Return which pixels (h, w) are the inside of a box with its strokes, and whether it surely is; None if not.

    Args:
        marks: the strokes and lines.
        lines: the same (h, w), with missing sides of boxes.
        inside: the area that lines may enclose (h, w).
        gap: pixels between it and the lines.
    """
    within = np.bincount(marks.labels.ravel(), weights=inside.ravel(), minlength=len(marks.areas) + 1)[1:]
    is_cut = (marks.boxes[:, :2] == 0).any(axis=1) | (marks.boxes[:, 2:] == inside.shape).any(axis=1)
    is_content = (within >= 0.6 * marks.areas) & ~is_cut
    outside = marks.select(~is_content)
    box = bounding_box(inside)
    if box is None or not outside.any():
        return None
    covers = _covers(lines & ~marks.select(is_content), box, gap)
    walls = sum(cover >= MIN_COVER for cover in covers if cover is not None)
    least = CUT_COVER if None in covers else MIN_COVER
    if any(cover is not None and cover < least for cover in covers) or not walls:
        return None
    are_straight, filled = _straight_edges(inside, box)
    crooked = sum(cover is not None and not straight for cover, straight in zip(covers, are_straight, strict=True))
    is_sure = covers[:2] != [None, None] and covers[2:] != [None, None]  # else it may be ruled paper
    left, top, right, bottom = box
    size = np.array([bottom - top, right - left])
    if is_content.any() and ((marks.boxes[:, 2:] - marks.boxes[:, :2])[is_content] >= MIN_CONTENT * size).any():
        return None if crooked else ((filled & ~dilate(outside, 1)) | marks.select(is_content), is_sure)
    touching = bounding_box(outside & inside)
    if touching is None or walls < 4 or crooked > 1 or min(cover or 0 for cover in covers) < TOUCHED_COVER:
        return None
    around = bounding_box(outside) or box
    reach = gap + 2 + size[[1, 0, 1, 0]] // 8
    is_large = np.array([touching[3] - touching[1], touching[2] - touching[0]]) >= MIN_CONTENT * size
    is_box = (np.abs(np.subtract(around, box)) <= reach).all() and filled.sum() >= TOUCHED_RECTANGULAR * size.prod()
    return (filled, True) if is_box and is_large.any() else None


def _covers(lines: Mask, box: Box, gap: int) -> list[float | None]:
    """Return along how much of each side of a box a line runs; None for a side along the picture's edge without one."""
    height, width = lines.shape
    left, top, right, bottom = box
    covers: list[float | None] = []
    for side, start, end, length, reach in (
        (lines[:, left:right], top, bottom, height, bottom - top),
        (lines[top:bottom].T, left, right, width, right - left),
    ):
        depth = gap + 2 + reach // 12
        for near in (start, end):
            cover = float(side[max(0, near - depth) : near + depth].any(axis=0).mean())
            space = min(near, length - near)
            is_edge = space == 0 or (space <= gap + 2 and cover < MIN_COVER)
            covers.append(None if is_edge else cover)
    return covers


def _straight_edges(inside: Mask, box: Box) -> tuple[list[bool], Mask]:
    """Return whether the area in a box ends in a straight line at its top, bottom, left and right, corners aside.

    And the area between these lines (h, w), with what touches them: there strokes cut the area short. All four sides
    have the slope of the straightest.
    """
    left, top, right, bottom = box
    part = inside[top:bottom, left:right]
    edges = [side.argmax(axis=0) for side in (np.rot90(part, turn) for turn in range(4))]  # top, right, bottom, left
    fits = [_fit_line(edge) for edge in edges]
    slope = min(fits, key=lambda fit: fit[1])[0]
    between = np.ones_like(part)
    for turn, edge in enumerate(edges):
        line = slope * np.arange(len(edge))
        line += np.percentile((edge - line)[len(edge) // 7 : -(len(edge) // 7) or None], 10)
        side = np.rot90(between, turn)  # a view
        side[np.arange(len(side))[:, np.newaxis] < np.floor(line)] = False
    filled = inside.copy()
    filled[top:bottom, left:right] |= between
    heights = (len(part), part.shape[1])
    limits = [max(1.5, 0.03 * heights[turn % 2]) for turn in range(4)]
    are_straight = [residual <= limit for (_, residual), limit in zip(fits, limits, strict=True)]
    return [are_straight[turn] for turn in (0, 2, 3, 1)], filled


def _fit_line(edge: NDArray[np.intp]) -> tuple[float, float]:
    """Return the slope of the line through an edge (n,), its ends aside, and how far most of it is from the line."""
    x = np.arange(len(edge))[len(edge) // 7 : len(edge) - len(edge) // 7]
    y = edge[x]
    third = max(1, len(x) // 3)
    start, end = np.median(y[:third]), np.median(y[-third:])
    slope = (end - start) / max(1, len(x) - third)
    return float(slope), float(np.percentile(np.abs(y - start - slope * (x - x[0] - third / 2)), 85))


def _cut(gray: Gray | Floats, keep: Mask, marks: _Marks, step: int, *, is_sure: bool) -> Cell:
    """Return the part of the picture around `keep`, a mask at working resolution; all else is painted over."""
    left, top, right, bottom = bounding_box(keep) or (0, 0, 1, 1)
    height, width = gray.shape
    box = (left * step, top * step, min(right * step, width), min(bottom * step, height))
    cut = gray[box[1] : box[3], box[0] : box[2]].copy()
    keep = keep[top:bottom, left:right]
    is_background = keep & ~dilate(marks.mask, 1)[top:bottom, left:right]
    values = cut[upsample(is_background, step, cut.shape)]
    is_cleared = upsample(~keep, step, cut.shape)
    if values.size and is_cleared.any():
        level = median(values)
        if (values == level).mean() > UNIFORM:
            cut[is_cleared] = level
        else:
            small = np.asarray(Image.fromarray(cut).reduce(step), np.float32)
            fill = np.rint(_background(small, is_background, level)).astype(gray.dtype)
            fill = np.repeat(np.repeat(fill, step, axis=0), step, axis=1)[: cut.shape[0], : cut.shape[1]]
            cut[is_cleared] = fill[is_cleared]
    return Cell(cut, box, is_sure=is_sure)


def _background(gray: Floats, is_background: Mask, otherwise: float) -> Floats:
    """Return the mean of the background near each pixel (h, w), or another level where there is none near it."""
    radius = max(2, max(gray.shape) // 16)
    weights = box_blur(is_background.astype(np.float32), radius)
    sums = box_blur(np.where(is_background, gray, 0).astype(np.float32), radius)
    mean: Floats = np.where(weights > 1e-3, sums / np.maximum(weights, 1e-3), np.float32(otherwise)).astype(np.float32)
    return mean
