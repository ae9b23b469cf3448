"""Where MNIST's makers put a digit: its box fitted into 20x20, its center of mass at the center of 28x28.

The rule as the makers of QMNIST rebuilt it (https://github.com/facebookresearch/qmnist): area resampling, and a
top-left corner rounded from the center of mass.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import DIGIT_SIDE, SIDE, Box, Gray


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Return the box of what is true, None if nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def longer_side(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def looks_like_mnist(gray: NDArray[np.uint8] | NDArray[np.float32]) -> bool:
    """Return whether a picture is as MNIST's are: its size, its ground, its contrast, and where its digit lies."""
    if gray.shape != (SIDE, SIDE) or gray.max() < 250 or (gray % 1).any():
        return False
    box = box_of(gray > 0)
    if box is None or longer_side(box) not in (DIGIT_SIDE - 1, DIGIT_SIDE):
        return False
    return all(13.5 <= center <= 14.5 for center in center_of_mass(gray))


def place(ink: Gray) -> Gray:
    """Return the picture (28, 28) of a digit that fills `ink` (h, w), 0 ground to 255 ink, to its edges."""
    digit = stretch(_fit(ink))
    box = box_of(digit > 0)
    assert box is not None  # noqa: S101  the stretch left a pixel of 255
    left, top, right, bottom = box
    digit = digit[top:bottom, left:right]
    center_y, center_x = center_of_mass(digit)
    top = min(max(int(np.floor(14.5 - center_y)), 0), SIDE - digit.shape[0])
    left = min(max(int(np.floor(14.5 - center_x)), 0), SIDE - digit.shape[1])
    placed = np.zeros((SIDE, SIDE), np.uint8)
    placed[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return placed


def _fit(ink: Gray) -> Gray:
    """Return the digit with a longer side of 20 pixels, by areas as MNIST's were; 19 stay 19."""
    height, width = ink.shape
    side = max(height, width)
    if side in (DIGIT_SIDE - 1, DIGIT_SIDE):
        return ink
    square = np.zeros((side, side), np.uint8)
    square[:height, :width] = ink  # in its corner, so that whole multiples come out sharp
    resampling = Image.Resampling.BOX if side > DIGIT_SIDE else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(square).resize((DIGIT_SIDE, DIGIT_SIDE), resampling))


def stretch(ink: Gray) -> Gray:
    """Return ink that reaches 255; 254 is left, being MNIST's own. It must not be blank."""
    darkest = int(ink.max())
    if darkest >= 254:
        return ink
    stretched: Gray = np.rint(ink * np.float32(255 / darkest)).astype(np.uint8)
    return stretched


def center_of_mass(ink: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[float, float]:
    """Return row and column, counted from 0, as float64: MNIST's digits lie to the half pixel."""
    mass = ink.astype(np.float64)
    total = mass.sum()
    rows, columns = mass.sum(axis=1), mass.sum(axis=0)
    return float(rows @ np.arange(len(rows)) / total), float(columns @ np.arange(len(columns)) / total)
