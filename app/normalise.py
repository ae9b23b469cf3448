"""Any picture of one digit -> 28x28, the way MNIST's makers would have made it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import NoDigitError
from app.ink import find_ink
from app.placing import SIDE, Box, box_of, longer_side, looks_like_mnist, place


@dataclass(frozen=True)
class Normalisation:
    """What was done to a picture."""

    is_untouched: bool
    inverted: bool
    box: Box | None
    """Of the ink, in the picture's pixels; None if the picture is untouched."""
    background_removed: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Normalised:
    pixels: NDArray[np.uint8]
    """(28, 28), 0 ground to 255 ink."""
    report: Normalisation


def normalise(grey: NDArray[np.uint8] | NDArray[np.float32]) -> Normalised:
    """Return the picture (28, 28) that MNIST's makers would have made of a grey one (h, w), 0 black to 255 white.

    Raises:
        NoDigitError: it shows no digit, nothing but ink, or several digits.
    """
    if looks_like_mnist(grey):
        return Normalised(grey.astype(np.uint8), Normalisation(True, False, None, False, ()))
    ink = find_ink(grey)
    box = box_of(ink.mask)
    if box is None:
        raise NoDigitError("shows no digit")
    left, top, right, bottom = box
    if (
        ink.pixels.shape == (SIDE, SIDE)
        and ink.noise
        and 15 <= longer_side(box) <= 22
        and abs(left + right - 28) <= 7
        and abs(top + bottom - 28) <= 7
    ):
        pixels = ink.pixels
    else:
        pixels = place(ink.pixels[top:bottom, left:right])
    return Normalised(pixels, Normalisation(False, ink.inverted, box, ink.background_removed, ()))
