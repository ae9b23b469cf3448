"""MNIST's placement of a digit: its box fitted into 20x20, its center of mass at (14, 14), to the nearest pixel.

The rule as the makers of QMNIST rebuilt it (https://github.com/facebookresearch/qmnist): area resampling, and a
top-left corner rounded from the center of mass.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import DIGIT_SIDE, SIDE, Box, Gray

CENTER = 14.5
"""Rows and columns from the frame's edge to the center of mass, before the offset is rounded down to whole pixels."""


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the box around the true pixels, None if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def longer_side(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def looks_like_mnist(gray: NDArray[np.uint8] | NDArray[np.float32]) -> bool:
    """Return whether a picture has MNIST's size, background, contrast and placement."""
    if gray.shape != (SIDE, SIDE) or gray.max() < 250 or (gray % 1).any():
        return False
    box = bounding_box(gray > 0)
    if box is None or longer_side(box) not in (DIGIT_SIDE - 1, DIGIT_SIDE):
        return False
    return all(CENTER - 1 <= center <= CENTER for center in center_of_mass(gray))


def place_in_frame(digit: Gray) -> Gray:
    """Return the image (28, 28) of a cropped digit (h, w), 0 background to 255 foreground, by MNIST's rule."""
    digit = stretch_contrast(_resize_to_box(digit))
    box = bounding_box(digit > 0)
    assert box is not None  # noqa: S101  the stretch left a pixel of 255
    left, top, right, bottom = box
    digit = digit[top:bottom, left:right]
    height, width = digit.shape
    top, left = centering_offset(digit)
    top, left = min(max(top, 0), SIDE - height), min(max(left, 0), SIDE - width)
    placed = np.zeros((SIDE, SIDE), np.uint8)
    placed[top : top + height, left : left + width] = digit
    return placed


def centering_offset(digit: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the row and the column of a frame (28, 28) where the digit's top-left corner goes to be centered.

    The digit (h, w) may be a whole frame; then this is by how much to move it, down and to the right.
    """
    row, column = center_of_mass(digit)
    return int(np.floor(CENTER - row)), int(np.floor(CENTER - column))


def center_of_mass(gray: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[float, float]:
    """Return row and column, counted from 0, in float64: half pixels must be exact."""
    mass = gray.astype(np.float64)
    total = mass.sum()
    rows, columns = mass.sum(axis=1), mass.sum(axis=0)
    return float(rows @ np.arange(len(rows)) / total), float(columns @ np.arange(len(columns)) / total)


def stretch_contrast(digit: Gray) -> Gray:
    """Return the digit scaled so that its maximum is 255. MNIST's own 254 stays; it must not be blank."""
    brightest = int(digit.max())
    if brightest >= 254:
        return digit
    stretched: Gray = np.rint(digit * np.float32(255 / brightest)).astype(np.uint8)
    return stretched


def _resize_to_box(digit: Gray) -> Gray:
    """Return the digit with a longer side of 20 pixels, by area resampling as in MNIST; 19 stays 19."""
    height, width = digit.shape
    side = max(height, width)
    if side in (DIGIT_SIDE - 1, DIGIT_SIDE):
        return digit
    square = np.zeros((side, side), np.uint8)
    square[:height, :width] = digit  # in the corner, so that whole multiples come out sharp
    resampling = Image.Resampling.BOX if side > DIGIT_SIDE else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(square).resize((DIGIT_SIDE, DIGIT_SIDE), resampling))
