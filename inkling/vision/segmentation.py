"""Which strokes make up the digit: what is dust, what is another digit, what is no digit at all."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.errors import NoDigitError
from inkling.vision.connected_components import label
from inkling.vision.foreground import box_blur

DUST = 0.06
"""Share of the largest stroke's area below which a stroke is dust, if it lies off the digit or the ground is noisy."""
GAP = 1 / 20
"""Of the digit's height: strokes nearer than twice this belong together. No digit of MNIST falls apart at it."""


def select_digit(mask: Mask, is_noisy: bool, is_surely_one: bool = False) -> Mask:
    """Return the part of the ink (h, w) that is the digit.

    On a noisy ground every small stroke is dust, elsewhere only what lies off the digit.

    Raises:
        NoDigitError: noise, or several digits.
    """
    labels, count = label(mask)
    if not count:
        raise NoDigitError("the picture shows no digit: there is no ink on it")
    areas = np.bincount(labels.ravel())[1:]
    if is_noisy:
        is_edge = _run_along_an_edge(_boxes(labels, count), mask.shape)
        if is_edge.any() and not is_edge.all() and areas[~is_edge].max() > 0.02 * areas.max():
            return select_digit(mask & ~np.concatenate([[False], is_edge])[labels], is_noisy, is_surely_one)
    if count > 30 and areas.max() < 0.3 * areas.sum():
        raise NoDigitError(
            f"the picture shows no single digit but {count} specks or strokes, the largest of them "
            f"{areas.max() / areas.sum():.0%} of the ink; crop it to one digit"
        )
    boxes = _boxes(labels, count)
    heights = boxes[:, 2:] - boxes[:, :2]  # (count, 2)
    size = int(heights[areas.argmax()].max())
    groups, group_count = label(dilate(mask, max(1, round(size * GAP))))
    groups = groups * mask
    several = _several(groups, group_count)
    if several > 1 and not is_surely_one:
        raise NoDigitError(f"the picture shows {several} digits or more, expected one; crop it to one digit")
    group_areas = np.bincount(groups.ravel(), minlength=group_count + 1)[1:]
    main = int(group_areas.argmax()) + 1
    if is_noisy:
        keep = areas >= DUST * areas.max()
        return np.concatenate([[False], keep])[labels]
    keep = (group_areas >= DUST * group_areas.max()) | _is_near(_boxes(groups, group_count), main - 1)
    return np.concatenate([[False], keep])[groups]


def _several(groups: NDArray[np.int32], count: int) -> int:
    """Return how many groups are digits, if the largest is one: beside it and comparable, or under it and as large."""
    boxes = _boxes(groups, count)
    areas = np.bincount(groups.ravel(), minlength=count + 1)[1:]
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    main = int(areas.argmax())
    overlap = np.minimum(boxes[:, 2:], boxes[main, 2:]) - np.maximum(boxes[:, :2], boxes[main, :2])  # (count, 2)
    heights = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[main, 2] - boxes[main, 0])
    is_comparable = (sizes >= 0.5 * sizes[main]) & (areas >= 0.2 * areas[main])
    is_beside = (overlap[:, 1] <= 0) & (overlap[:, 0] >= 0.5 * heights)
    is_under = (overlap[:, 0] <= 0) & (sizes >= 0.7 * sizes[main])
    is_digit = is_comparable & (is_beside | is_under)
    is_digit[main] = True
    return int(is_digit.sum())


def _run_along_an_edge(boxes: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    """Return which boxes lie along an edge of the picture for half of its length: shadows, and the table under it."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    touches = (boxes[:, :2] == 0) | (boxes[:, 2:] == shape)  # (count, 2): of the rows, of the columns
    is_long, is_thin = sizes >= 0.5 * np.array(shape), sizes <= 0.2 * np.array(shape)
    along: Mask = (touches & is_thin & is_long[:, ::-1]).any(axis=1)
    return along


def _is_near(boxes: NDArray[np.intp], main: int) -> Mask:
    """Return which boxes lie within a quarter of the main box's size of it."""
    size = (boxes[main, 2:] - boxes[main, :2]).max()
    gaps = np.maximum(boxes[:, :2] - boxes[main, 2:], boxes[main, :2] - boxes[:, 2:]).max(axis=1)
    near: Mask = gaps <= size / 4
    return near


def _boxes(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Return top, left, bottom, right of each component (count, 4); the last two are the first pixels outside."""
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns] - 1
    boxes = np.zeros((count, 4), np.intp)
    boxes[:, :2] = max(labels.shape)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(boxes[:, axis], numbers, places)
        np.maximum.at(boxes[:, axis + 2], numbers, places + 1)
    return boxes


def dilate(mask: Mask, radius: int) -> Mask:
    """Return what lies within `radius` pixels of what is true."""
    reached: Mask = box_blur(mask.astype(np.float32), radius) > 0.5 / (2 * radius + 1) ** 2
    return reached
