"""A digit cut out of a picture: whether its strokes can be one, and its place in the frame of 28x28 pixels."""

from inkling.digit import DIGIT_SIDE, Box, Floats, Gray, Mask
from inkling.errors import NoDigitError
from inkling.vision.foreground import Foreground
from inkling.vision.normalization import Normalization, Normalized
from inkling.vision.placement import bounding_box, place_in_frame
from inkling.vision.pooling import has_block

MIN_CONTRAST = 8
"""Gray levels."""
MIN_SIDE = 5
"""Pixels of the longer side of the smallest digit."""
MAX_ASPECT_RATIO = 2.5
"""Width / height of a digit; in MNIST it is at most 1.8."""
SOLID_BLOCKS = ((12, 12), (8, 18))
"""Rows and columns, all foreground, that are too large for a stroke; none of MNIST's 70,000 digits has them."""


def place_digit(levels: Gray, mask: Mask, foreground: Foreground, warnings: tuple[str, ...] = ()) -> Normalized:
    """Crop the digit, check that it can be one, and place it."""
    left, top, right, bottom = box = box_or_raise(mask)
    digit = levels[top:bottom, left:right]
    if not digit.any():
        raise NoDigitError("the picture shows no digit: its strokes are as faint as its noise")
    height, width = digit.shape
    _check_size(width, height)
    placed = place_in_frame(digit)
    if any(has_block(placed > 127, rows, columns) for rows, columns in SOLID_BLOCKS):
        raise NoDigitError(
            f"the picture shows no digit but a solid area: half of a box of {width}x{height} pixels is filled; "
            "expected strokes"
        )
    if max(width, height) < DIGIT_SIDE / 2:
        warnings += (f"the digit is only {width}x{height} pixels and was enlarged; use a larger picture",)
    if foreground.contrast < 4 * MIN_CONTRAST:
        warnings += (f"the contrast is {foreground.contrast:.0f} of 255 gray levels and was stretched",)
    return Normalized(placed, report_on(foreground, box, warnings))


def report_on(foreground: Foreground, box: Box, warnings: tuple[str, ...]) -> Normalization:
    return Normalization(
        is_untouched=False,
        inverted=foreground.inverted,
        box=box,
        background_removed=foreground.background_removed,
        warnings=warnings,
    )


def _check_size(width: int, height: int) -> None:
    if max(width, height) < MIN_SIDE:
        raise NoDigitError(
            f"the picture shows no digit: its strokes cover {width}x{height} pixels, at least {MIN_SIDE} are needed"
        )
    if width > MAX_ASPECT_RATIO * height:
        raise NoDigitError(
            f"the picture shows no single digit: its strokes cover {width}x{height} pixels, more than "
            f"{MAX_ASPECT_RATIO} times as wide as high; crop it to one digit"
        )


def check_not_blank(gray: Gray | Floats) -> None:
    """Raise NoDigitError if a picture (h, w) is blank."""
    low, high = float(gray.min()), float(gray.max())
    if high - low < MIN_CONTRAST:
        raise NoDigitError(
            f"the picture is blank: its gray levels go from {low:.0f} to {high:.0f}, "
            f"but a digit must differ from its background by at least {MIN_CONTRAST}"
        )


def check_contrast(foreground: Foreground) -> None:
    least = max(MIN_CONTRAST, 1.5 * foreground.noise)
    if foreground.contrast < least:
        raise NoDigitError(
            f"the picture shows no digit: its contrast is {foreground.contrast:.0f} of 255 gray levels, "
            f"but with noise of {foreground.noise:.0f} it must be at least {least:.0f}"
        )


def box_or_raise(mask: Mask) -> Box:
    box = bounding_box(mask)
    if box is None:
        raise NoDigitError("the picture shows no digit: it has no strokes")
    return box
