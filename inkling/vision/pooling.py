"""The reduction of a mask or a picture by squares of pixels, in which thin lines survive; dilation and closing."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray, Mask

T = TypeVar("T", np.uint8, np.float32)
S = TypeVar("S", np.uint8, np.float32, np.bool_)

WORK_SIDE = 256
"""A large picture is downscaled to this many pixels on its longer side before its digit is searched for."""


def max_pool(mask: Mask, step: int) -> Mask:
    """Return whether any pixel is true in each square of `step` pixels."""
    pooled: Mask = _pool(mask.view(np.uint8), step, np.maximum).view(np.bool_)
    return pooled


def share(mask: Mask) -> float:
    """Return the share of true pixels of a mask that is not empty; its `mean` takes eight times as long."""
    return float(np.count_nonzero(mask) / mask.size)


def upsample(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask of `max_pool` at the size (h, w) of its picture."""
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]


def min_pool(gray: Gray, step: int) -> Gray:
    """Return the darkest pixel of each square of `step` pixels."""
    return _pool(gray, step, np.minimum)


def _pool(gray: Gray, step: int, pick: np.ufunc) -> Gray:
    """Return what `pick` leaves of each square of `step` pixels; those along the end may be cut off."""
    for _ in range(2):  # rows, and then columns
        rows = gray[::step].copy()
        for i in range(1, step):
            others = gray[i::step]
            pick(rows[: len(others)], others, out=rows[: len(others)])
        gray = rows.T
    return gray


def max_filter(gray: NDArray[T], width: int, pick: np.ufunc = np.maximum, before: int | None = None) -> NDArray[T]:
    """Return the lightest pixel of the window around each pixel.

    Args:
        gray: a picture (h, w).
        width: of the window, and its height.
        pick: np.minimum for the darkest pixel.
        before: how many pixels of the window are to the left of its pixel, and above it; width // 2 by default.
    """
    before = width // 2 if before is None else before
    for _ in range(2):
        gray = pick_rows(_extend(gray, before, width - 1 - before), width, pick).T
    return gray


def pick_rows(gray: NDArray[S], count: int, pick: np.ufunc) -> NDArray[S]:
    """Return what `pick` leaves of each `count` rows that follow one another, of a picture (h, w): (h - count + 1, w).

    The time grows with the logarithm of the count.
    """
    size = 1
    while size < count:
        shift = min(size, count - size)
        gray = pick(gray[:-shift], gray[shift:])
        size += shift
    return gray


def has_block(mask: Mask, rows: int, columns: int) -> bool:
    """Return whether so many rows and columns of a mask (h, w) that follow one another are all true."""
    return bool(pick_rows(pick_rows(mask, rows, np.logical_and).T, columns, np.logical_and).any())


def _extend(gray: NDArray[T], above: int, below: int) -> NDArray[T]:
    """Return a picture with its first row repeated above it and its last one below; np.pad takes five times as long."""
    end = above + len(gray)
    extended = np.empty_like(gray, shape=(end + below, gray.shape[1]))  # in the same order of memory, turned or not
    extended[:above], extended[above:end], extended[end:] = gray[0], gray, gray[-1]
    return extended


def close(gray: NDArray[T], width: int) -> NDArray[T]:
    """Return the closing of a picture (h, w) by a square of `width` pixels: what is narrower and darker goes.

    It is a maximum and then a minimum over the window of each pixel; the outermost pixels go on beyond the picture.
    """
    extended = _extend(_extend(gray, width, width).T, width, width).T
    lightest = max_filter(extended, width)
    darkest = max_filter(lightest, width, np.minimum, before=(width - 1) // 2)  # a window of even width leans back
    return darkest[width:-width, width:-width]


def dilate(mask: Mask, radius: int) -> Mask:
    """Return where a true pixel lies within `radius` pixels: dilation by a square."""
    dilated: Mask = max_filter(mask.view(np.uint8), 2 * radius + 1).view(np.bool_)
    return dilated
