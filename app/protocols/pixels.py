"""Tensors -> pixels: integers are 0 to 255, floats are 0 to 1, in the shapes that tutorials of MNIST use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE
from inkling.errors import ImageError

Pixels = NDArray[np.uint8]
"""(n, 784), 0 background to 255 foreground."""

IMAGE_SHAPES = ((NUM_PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1), (1, SIDE, SIDE))
"""Of one image, below the first axis."""
MAX_AXES = 4
SHAPES_IN_WORDS = "[n, 784], [n, 28, 28], [n, 28, 28, 1] or [n, 1, 28, 28]"


def count_images(shape: Sequence[int]) -> int:
    """Return the number of images in a tensor of this shape.

    Raises:
        ImageError: it is none of IMAGE_SHAPES with an axis of images before, or has none.
    """
    if len(shape) > MAX_AXES or tuple(shape[1:]) not in IMAGE_SHAPES:
        raise ImageError(f"`images` has shape {list(shape[:8])}, expected {SHAPES_IN_WORDS}")
    if shape[0] < 1:
        raise ImageError(f"`images` has shape {list(shape)}: it holds no image")
    return shape[0]


def to_levels(numbers: NDArray[Any], *, is_unit: bool) -> NDArray[np.uint8]:
    """Return numbers of any shape as gray levels.

    Args:
        numbers: integers or floats.
        is_unit: whether their scale is 0 to 1, which becomes rint(255 x), and not 0 to 255.

    Raises:
        ImageError: one is outside of its scale, or NaN; or on the scale of 0 to 255 it is a fraction.
    """
    levels: NDArray[np.uint8]
    if numbers.dtype == np.uint8 and not is_unit:
        levels = numbers
        return levels
    if numbers.dtype.kind not in "iuf":  # integers beyond 64 bits
        raise ImageError(f"`images` holds integers of more than 64 bits, expected {_expected(is_unit=is_unit)}")
    if not numbers.size:
        return numbers.astype(np.uint8)
    low, high = float(numbers.min()), float(numbers.max())
    if not (low >= 0 and high <= (1 if is_unit else 255)):  # NaN is neither
        raise ImageError(f"`images` holds numbers from {low:g} to {high:g}, expected {_expected(is_unit=is_unit)}")
    if is_unit:
        single = numbers.astype(np.float32) if numbers.dtype.itemsize < 4 else numbers
        levels = np.rint(single * 255).astype(np.uint8)
        return levels
    levels = numbers.astype(np.uint8)
    if numbers.dtype.kind == "f" and not np.array_equal(levels, numbers):
        raise ImageError("`images` holds fractions among integers 0 to 255; send FP32 for numbers from 0 to 1")
    return levels


def _expected(*, is_unit: bool) -> str:
    if is_unit:
        return "floats from 0 to 1: divide by 255, or send UINT8"
    return "integers from 0 to 255; send FP32 for numbers from 0 to 1"
