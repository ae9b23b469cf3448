"""Arrays of numbers: their axes, and their numbers as gray levels, image by image."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.bulk.batches import Item, Unreadable
from inkling.digit import NUM_PIXELS, SIDE, Images
from inkling.errors import ImageError
from inkling.predictor import Fit
from inkling.vision.gray import to_gray, to_gray_on_black

CHANNELS = (1, 3, 4)
"""Length of a last axis that is not a picture's width: gray, RGB, RGBA."""


def item_shape(shape: Sequence[int], fit: Fit) -> tuple[int, ...]:
    """Return the shape of one image of an array of this shape, as it is stored; () if the array is one image.

    Raises:
        ImageError: the shape is not one of images; the message says which are read.
    """
    axes = tuple(shape)
    has_channels = len(axes) in (3, 4) and axes[-1] in CHANNELS
    plane = axes[:-1] if has_channels else axes
    is_flat = len(plane) == 2 and plane[1] == NUM_PIXELS and not has_channels
    if fit == "strict" and plane[-2:] != (SIDE, SIDE) and not is_flat:
        raise ImageError(f"it has shape {axes}, expected (28, 28), (n, 28, 28) or (n, {NUM_PIXELS}){_LAST_AXIS}")
    if len(plane) not in (2, 3):
        raise ImageError(f"it has shape {axes}, expected (h, w), (n, h, w) or (n, {NUM_PIXELS}){_LAST_AXIS}")
    if not math.prod(axes):
        raise ImageError(f"it has shape {axes}: it holds no image")
    return () if len(plane) == 2 and not is_flat else axes[1:]


_LAST_AXIS = "; channels (1, 3 or 4) are the last axis"


def gray_items(numbers: NDArray[Any], fit: Fit) -> Images | list[Item]:
    """Return the images of an array (n, *item_shape) of numbers from 0 to 255; others are Unreadable."""
    if numbers.ndim == 2:
        numbers = numbers.reshape(-1, SIDE, SIDE)
    reasons = {} if numbers.dtype == np.uint8 else _wrong_numbers(numbers)
    if reasons:
        numbers = numbers.copy()
        numbers[list(reasons)] = 0
    levels = numbers if numbers.dtype == np.uint8 else np.rint(numbers).astype(np.uint8)
    images = _without_channels(np.ascontiguousarray(levels), fit)
    if not reasons:
        return images
    return [Unreadable(reasons[i]) if i in reasons else image for i, image in enumerate(images)]


def _wrong_numbers(numbers: NDArray[Any]) -> dict[int, str]:
    """Return by index what is wrong with images (n, ...) whose numbers are not 0 to 255."""
    flat = numbers.reshape(len(numbers), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    reasons = {
        int(i): f"it holds numbers from {low[i]:g} to {high[i]:g}, expected 0 to 255"
        for i in np.flatnonzero(~((low >= 0) & (high <= 255)))  # NaN is neither
    }
    if numbers.dtype.kind == "f":
        for i in np.flatnonzero((low >= 0) & (high <= 1)):
            if (flat[i] % 1).any():
                reasons[int(i)] = (
                    f"it seems to be scaled to 0 to 1 (its largest number is {high[i]:g}); multiply by 255"
                )
    return reasons


def _without_channels(levels: Images, fit: Fit) -> Images:
    """Return pictures (n, h, w) of (n, h, w) or (n, h, w, channels); colors become gray as in an image file."""
    if levels.ndim == 3:
        return levels
    if levels.shape[-1] == 1:
        return levels[..., 0]
    gray = to_gray_on_black if fit == "strict" else to_gray
    return np.stack([gray(Image.fromarray(picture)) for picture in levels])
