"""Warnings about images of 28x28 pixels that are not like MNIST's: the network answers them all, and is often wrong.

Dark strokes on a light background cost the most: the network that ships reads 5 % of such images right, and 99.5 % of
the same images as MNIST stores them (the 5,000 held-out ones).
"""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Images

Warnings = tuple[str, ...]
"""About one image, one sentence each; mostly there are none."""

MIN_CONTRAST = 128
"""Gray levels between the lightest and the darkest pixel; 254 or 255 in each of MNIST's training images."""
BLANK_CONTRAST = 8
"""Gray levels; with less, the image is blank. As with fit=mnist, but images of 0 and 1 have their own warning."""
MAX_BACKGROUND = 32
"""Gray level of the background; it is 0 in each of MNIST's training images."""

NORMALIZE = "send it with fit=mnist"
_BORDER = np.flatnonzero(np.pad(np.zeros((SIDE - 2, SIDE - 2), np.bool_), 1, constant_values=True))
_BLACK_ROW = bytes(SIDE)


def image_warnings(images: Images) -> tuple[Warnings, ...]:
    """Return the warnings about each of the images (n, 28, 28), 0 background to 255 foreground.

    None of MNIST's training images gets one.
    """
    if len(images) == 1 and _is_plain(images.tobytes()):
        return ((),)
    warnings: list[Warnings] = [()] * len(images)
    flat = images.reshape(-1, NUM_PIXELS)
    suspects = np.flatnonzero(~_are_plain(flat))
    pixels = flat[suspects]
    low, high = pixels.min(axis=1, initial=255), pixels.max(axis=1, initial=0)
    background = np.sort(pixels[:, _BORDER], axis=1)[:, len(_BORDER) // 2]
    for image, *levels in zip(*(column.tolist() for column in (suspects, low, high, background)), strict=True):
        warnings[image] = _warnings(*levels)
    return tuple(warnings)


def _is_plain(pixels: bytes) -> bool:
    """Return whether an image surely gets no warning: its contrast is high, and most of its border is black."""
    return pixels.startswith(_BLACK_ROW) and pixels.endswith(_BLACK_ROW) and (255 in pixels or 254 in pixels)


def _are_plain(flat: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the same for each of many images (n, 784): 0.1 us each, `_is_plain` takes 0.2."""
    rows = np.ascontiguousarray(flat).view(np.uint32)  # (n, 196): seven words a row of pixels
    words = SIDE // 4
    is_lit = (rows[:, :words] | rows[:, -words:]).any(axis=1)
    plain: NDArray[np.bool_] = ~is_lit & (flat.max(axis=1) >= 254)
    return plain


def _warnings(low: int, high: int, background: int) -> Warnings:
    """Return the warnings about an image: its darkest and lightest level, and the median of its outermost pixels."""
    contrast = high - low
    if (low, high) == (0, 1):
        return ("its values are only 0 and 1, expected 0 to 255: multiply them by 255",)
    if contrast < BLANK_CONTRAST:
        return (f"the image is blank: its values go from {low} to {high}, expected strokes up to 255 on 0",)
    warnings: Warnings = ()
    if background > (low + high) / 2:
        warnings += (
            f"dark strokes on a light background (its border is {background}), expected light on dark: "
            f"{NORMALIZE}, or subtract its values from 255",
        )
    elif background > MAX_BACKGROUND:
        warnings += (f"its background is {background}, expected 0: {NORMALIZE}, or subtract the background",)
    if contrast < MIN_CONTRAST:
        warnings += (
            f"the contrast is low: its values go from {low} to {high}, expected 0 to 255: "
            f"{NORMALIZE}, or stretch its values",
        )
    return warnings
