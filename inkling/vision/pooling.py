"""The reduction of a mask or a picture by squares of pixels, in which thin lines survive; dilation and closing."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray, Mask

T = TypeVar("T", np.uint8, np.float32)

WORK_SIDE = 256
"""A large picture is downscaled to this many pixels on its longer side before its digit is searched for."""


def max_pool(mask: Mask, step: int) -> Mask:
    """Return whether any pixel is true in each square of `step` pixels."""
    if step == 1:
        return mask
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], step), axis=0)
    pooled: Mask = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], step), axis=1)
    return pooled


def upsample(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask of `max_pool` at the size (h, w) of its picture."""
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]


def min_pool(gray: Gray, step: int) -> Gray:
    """Return the darkest pixel of each square of `step` pixels."""
    height, width = gray.shape
    padded = np.pad(gray, ((0, -height % step), (0, -width % step)), mode="edge") if step > 1 else gray
    rows = padded[::step].copy()
    for i in range(1, step):
        np.minimum(rows, padded[i::step], out=rows)
    pooled: Gray = rows[:, ::step].copy()
    for i in range(1, step):
        np.minimum(pooled, rows[:, i::step], out=pooled)
    return pooled


def max_filter(gray: NDArray[T], width: int, pick: np.ufunc = np.maximum) -> NDArray[T]:
    """Return the lightest pixel of the window around each pixel; the time grows with the logarithm of its width.

    Args:
        gray: a picture (h, w).
        width: of the window, and its height.
        pick: np.minimum for the darkest pixel.
    """
    for _ in range(2):
        before = width // 2
        row = np.pad(gray, ((before, width - 1 - before), (0, 0)), mode="edge")
        size = 1
        while size < width:
            shift = min(size, width - size)
            row = pick(row[:-shift], row[shift:])
            size += shift
        gray = row.T
    return gray


def close(gray: NDArray[T], width: int) -> NDArray[T]:
    """Return the closing of a picture (h, w) by a square of `width` pixels: what is narrower and darker goes.

    It is a maximum and then a minimum over the window of each pixel; the outermost pixels go on beyond the picture.
    """
    lightest = max_filter(np.pad(gray, width, mode="edge"), width)
    turned = lightest[::-1, ::-1]  # for a window of even width leans to one side
    return max_filter(turned, width, np.minimum)[::-1, ::-1][width:-width, width:-width]


def dilate(mask: Mask, radius: int) -> Mask:
    """Return where a true pixel lies within `radius` pixels: dilation by a square."""
    dilated: Mask = max_filter(mask.view(np.uint8), 2 * radius + 1).view(np.bool_)
    return dilated
