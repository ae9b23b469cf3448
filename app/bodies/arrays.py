"""Arrays of numbers -> gray levels, and the axes of an array -> images or pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.bodies.limits import UploadLimits
from inkling.digit import NUM_PIXELS, SIDE, Gray, Images
from inkling.errors import ImageError
from inkling.vision.gray import to_gray, to_gray_on_black

Levels = NDArray[np.uint8]
CHANNELS = (1, 3, 4)
"""Length of a last axis that is not a picture's width: gray, RGB, RGBA. No digit is that narrow."""


class GrayLevels:
    """Collects numbers 0 to 255, rounded to gray levels, a piece at a time."""

    def __init__(self, name: str) -> None:
        """Collect the numbers of what has this name in error messages."""
        self._name = name
        self._high = 0.0
        self._has_fraction = False
        self._pieces: list[Levels] = []

    def add(self, numbers: NDArray[Any]) -> None:
        """Add numbers of any shape.

        Raises:
            ImageError: one is not 0 to 255.
        """
        low, high = float(numbers.min()), float(numbers.max())
        if not (low >= 0 and high <= 255):  # NaN is neither
            raise ImageError(f"{self._name} holds numbers from {low:g} to {high:g}, expected 0 to 255")
        self._high = max(high, self._high)
        if high <= 1 and numbers.dtype.kind == "f":
            self._has_fraction |= bool((numbers % 1).any())
        rounded = np.rint(numbers) if numbers.dtype.kind == "f" else numbers
        self._pieces.append(rounded.astype(np.uint8).reshape(-1))

    def to_array(self) -> Levels:
        """Return all levels (n,).

        Raises:
            ImageError: they seem to be scaled to 0 to 1.
        """
        if self._has_fraction and self._high <= 1:
            raise ImageError(
                f"{self._name} seems to be scaled to 0 to 1 (its largest number is {self._high:g}); send 0 to 255: "
                "multiply by 255"
            )
        return self._pieces[0] if len(self._pieces) == 1 else np.concatenate(self._pieces)


def as_images(array: Levels, limits: UploadLimits, name: str) -> Images:
    """Return (n, 28, 28) from (28, 28), (n, 28, 28) or (n, 784), each with or without a last axis of channels.

    Raises:
        ImageError: another shape, or no image.
        TooLargeError: too many images.
    """
    images = _without_channels(array, to_gray_on_black, limits)
    if images.ndim not in (2, 3) or (
        images.shape[-2:] != (SIDE, SIDE) and (images.ndim != 2 or images.shape[1] != NUM_PIXELS)
    ):
        raise ImageError(
            f"{name} has shape {array.shape}, expected (28, 28), (n, 28, 28) or (n, {NUM_PIXELS}); "
            "channels (1, 3 or 4) are the last axis"
        )
    images = images.reshape(-1, SIDE, SIDE)
    if not len(images):
        raise ImageError(f"{name} holds no image")
    limits.check_count(len(images))
    return images


def as_pictures(array: Levels, limits: UploadLimits, name: str) -> Levels:
    """Return (n, h, w) from (h, w), (n, h, w) or (n, 784), each with or without a last axis of channels.

    Flattened images are read as with fit=strict.

    Raises:
        ImageError: another shape, or no picture.
        TooLargeError: too many pictures, or pixels.
    """
    pictures = _without_channels(array, to_gray, limits)
    if pictures.ndim == 2:
        is_flat = pictures.shape[1] == NUM_PIXELS
        pictures = pictures.reshape(-1, SIDE, SIDE) if is_flat else pictures[np.newaxis]
    if pictures.ndim != 3:
        raise ImageError(
            f"{name} has shape {array.shape}, expected (h, w), (n, h, w) or (n, {NUM_PIXELS}); "
            "channels (1, 3 or 4) are the last axis"
        )
    if not pictures.size:
        raise ImageError(f"{name} has shape {array.shape}: it holds no image")
    limits.check_count(len(pictures))
    height, width = pictures.shape[1:]
    limits.picture.check_size(width, height, "each image")
    return pictures


def _without_channels(array: Levels, gray: Callable[[Image.Image], Gray], limits: UploadLimits) -> Levels:
    """Return an array without its last axis if that holds channels; colors become gray as in an image file."""
    if array.ndim not in (3, 4) or array.shape[-1] not in CHANNELS or not array.size:
        return array
    if array.shape[-1] == 1:
        return array[..., 0]
    pictures = array.reshape(-1, *array.shape[-3:])
    limits.check_count(len(pictures))
    return np.stack([gray(Image.fromarray(np.ascontiguousarray(picture))) for picture in pictures])
