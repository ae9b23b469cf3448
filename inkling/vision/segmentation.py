"""The segmentation of a foreground mask: the strokes that form the digit, without dust and other marks."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.errors import NoDigitError, SeveralDigitsError
from inkling.vision.connected_components import label
from inkling.vision.pooling import dilate

DUST = 0.06
"""A component smaller than this share of the largest is dust, if it is away from the digit or the picture is noisy."""
FREE_COLUMNS, PAIR_WIDTH = 0.04, 0.75
"""Of the height of two digits side by side: the columns between them, and the columns of both, at least."""
GAP = 1 / 20
"""Strokes closer than 2 x GAP x the digit's longer side are merged; at this value no MNIST digit splits."""


def select_digit(mask: Mask, *, is_noisy: bool, is_surely_one: bool = False) -> Mask:
    """Return the part of a foreground mask (h, w) that is the digit.

    Args:
        mask: where the picture has foreground.
        is_noisy: drop every small component as dust; otherwise only those away from the digit.
        is_surely_one: do not check for several digits.

    Raises:
        NoDigitError: the mask is empty, is noise, or shows several digits.
    """
    labels, count = label(mask)
    if not count:
        raise NoDigitError("the picture shows no digit: it has no strokes")
    if count == 1:  # nothing to leave out, and not several digits
        return mask
    areas = np.bincount(labels.ravel())[1:]  # (count,)
    if is_noisy:
        is_edge = _lies_along_an_edge(component_boxes(labels, count), mask.shape)
        if is_edge.any() and not is_edge.all() and areas[~is_edge].max() > 0.02 * areas.max():
            inner = mask & ~np.concatenate([[False], is_edge])[labels]
            return select_digit(inner, is_noisy=is_noisy, is_surely_one=is_surely_one)
    if count > 30 and areas.max() < 0.3 * areas.sum():
        raise NoDigitError(
            f"the picture shows no single digit but {count} specks or strokes, the largest of them "
            f"{areas.max() / areas.sum():.0%} of the foreground; crop it to one digit"
        )
    boxes = component_boxes(labels, count)
    sizes = boxes[:, 2:] - boxes[:, :2]  # (count, 2): heights and widths
    longest = int(sizes[areas.argmax()].max())
    groups, group_count = label(dilate(mask, max(1, round(longest * GAP))))
    groups = groups * mask
    if not is_surely_one and (digits := _count_digits(groups, group_count)) > 1:
        raise SeveralDigitsError(f"the picture shows at least {digits} digits, expected one; crop it to one digit")
    if not is_surely_one and _are_side_by_side(boxes, areas):
        raise SeveralDigitsError("the picture shows at least 2 digits side by side, expected one; crop it to one digit")
    if is_noisy:
        keep = areas >= DUST * areas.max()
        return np.concatenate([[False], keep])[labels]
    group_areas = np.bincount(groups.ravel(), minlength=group_count + 1)[1:]  # (group_count,)
    keep = (group_areas >= DUST * group_areas.max()) | _is_near(
        component_boxes(groups, group_count), int(group_areas.argmax())
    )
    return np.concatenate([[False], keep])[groups]


def component_boxes(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Return top, left, bottom, right of each component (count, 4); the last two are the first pixels outside."""
    flat = labels.reshape(-1)
    pixels = np.flatnonzero(flat != 0)
    rows, columns = np.divmod(pixels, labels.shape[1])  # np.nonzero takes three times as long
    numbers = flat[pixels] - 1
    boxes = np.zeros((count, 4), np.intp)
    boxes[:, :2] = max(labels.shape)
    for axis, positions in enumerate((rows, columns)):
        np.minimum.at(boxes[:, axis], numbers, positions)
        np.maximum.at(boxes[:, axis + 2], numbers, positions + 1)
    return boxes


def check_single(mask: Mask) -> None:
    """Check that a foreground (h, w) does not show two digits with free columns between them.

    Raises:
        SeveralDigitsError: it does.
    """
    if is_pair(mask):
        raise SeveralDigitsError("the picture shows at least 2 digits side by side, expected one; crop it to one digit")


def is_pair(mask: Mask) -> bool:
    """Return whether a foreground (h, w) shows two digits with free columns between them."""
    columns = np.flatnonzero(mask.any(axis=0))
    if len(columns) == 0 or columns[-1] - columns[0] + 1 == len(columns):  # one digit, or several that touch
        return False
    labels, count = label(mask)
    return count > 1 and _are_side_by_side(component_boxes(labels, count), np.bincount(labels.ravel())[1:])


def _are_side_by_side(boxes: NDArray[np.intp], areas: NDArray[np.intp]) -> bool:
    """Return whether the largest components (count, 4) are two digits, each in columns of its own.

    None of MNIST's 60,000 training images is taken for two digits.
    """
    if len(areas) < 2:
        return False
    first, second = np.argsort(-areas, kind="stable")[:2]
    top, left, bottom, right = boxes[[first, second]].T  # (2,) each
    heights = bottom - top
    tall, wide = bottom.max() - top.min(), right.max() - left.min()
    gap = left.max() - right.min()
    shared = bottom.min() - top.max()
    return bool(
        gap >= max(1, FREE_COLUMNS * tall)
        and shared >= 0.75 * heights.min()
        and heights.min() >= 0.7 * heights.max()
        and areas[second] >= 0.3 * areas[first]
        and wide >= PAIR_WIDTH * tall
    )


def _count_digits(groups: NDArray[np.int32], count: int) -> int:
    """Return how many groups of strokes are digits, if the largest is one.

    Another digit is beside the largest group and of comparable size, or below or above it and about as large.
    """
    boxes = component_boxes(groups, count)
    areas = np.bincount(groups.ravel(), minlength=count + 1)[1:]
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    main = int(areas.argmax())
    overlap = np.minimum(boxes[:, 2:], boxes[main, 2:]) - np.maximum(boxes[:, :2], boxes[main, :2])  # (count, 2)
    heights = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[main, 2] - boxes[main, 0])
    is_comparable = (sizes >= 0.5 * sizes[main]) & (areas >= 0.2 * areas[main])
    is_beside = (overlap[:, 1] <= 0) & (overlap[:, 0] >= 0.5 * heights)
    is_below_or_above = (overlap[:, 0] <= 0) & (sizes >= 0.7 * sizes[main])
    is_digit = is_comparable & (is_beside | is_below_or_above)
    is_digit[main] = True
    return int(is_digit.sum())


def _lies_along_an_edge(boxes: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    """Return which boxes (count,) lie along half of an edge of the picture: shadows, or the table under the paper."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    touches = (boxes[:, :2] == 0) | (boxes[:, 2:] == shape)  # (count, 2): top or bottom, left or right
    is_long, is_thin = sizes >= 0.5 * np.array(shape), sizes <= 0.2 * np.array(shape)
    along: Mask = (touches & is_thin & is_long[:, ::-1]).any(axis=1)
    return along


def _is_near(boxes: NDArray[np.intp], main: int) -> Mask:
    """Return which boxes (count,) are within a quarter of the main box's size of it."""
    size = (boxes[main, 2:] - boxes[main, :2]).max()
    gaps = np.maximum(boxes[:, :2] - boxes[main, 2:], boxes[main, :2] - boxes[:, 2:]).max(axis=1)
    near: Mask = gaps <= size / 4
    return near
