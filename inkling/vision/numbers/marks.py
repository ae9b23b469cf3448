"""The marks of a line, decimal points and minus signs, distinguished from dust and from parts of digits."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.vision.numbers.strokes import MIN_FILL, Strokes, strokes_in

NEAR = 1.2
"""Of the digits' height: a mark is at most so far from the next digit."""
FAINT = 0.6
"""Of the digits' level: fainter marks are dust."""
MAX_POINT = 0.32
"""Of the digits' height: width and height of a decimal point."""
MIN_POINT = 0.5
"""Of the width of a stroke: a pen leaves no smaller point."""
BESIDE = 0.06
"""Of the digits' height: what is nearer to a digit is a fragment of it, not a mark."""
MINUS_WIDTHS = (0.2, 1.1)
"""Of the digits' height."""


def find_marks(small: Strokes, digits: Strokes, stroke: float) -> list[str]:
    """Return the kind of each small component: ".", "-", or "" for dust and parts of digits.

    Args:
        small: components of the line that are lower than digits.
        digits: the others, from left to right.
        stroke: the width of the pen, in pixels.
    """
    least = FAINT * float(np.average(digits.levels, weights=digits.areas))
    is_digit = strokes_in(small.labels, digits)
    height = float(np.median(digits.heights))
    return [
        _kind(small.boxes[i], float(small.areas[i]), digits.boxes, stroke)
        if small.levels[i] >= least and not _is_beside(small.boxes[i], is_digit, max(1, round(BESIDE * height)))
        else ""
        for i in range(len(small.numbers))
    ]


def _is_beside(box: NDArray[np.intp], is_digit: Mask, reach: int) -> bool:
    """Return whether there is foreground of digits (h, w) within `reach` pixels of a box."""
    top, left = np.maximum(box[:2] - reach, 0)
    bottom, right = box[2:] + reach
    return bool(is_digit[top:bottom, left:right].any())


def _kind(box: NDArray[np.intp], area: float, digits: NDArray[np.intp], stroke: float) -> str:
    top, left, bottom, right = map(float, box)
    width, height = right - left, bottom - top
    line_top, line_bottom = _band(digits, (left + right) / 2)
    size = line_bottom - line_top
    gaps = np.maximum(digits[:, 1] - right, left - digits[:, 3])  # (n,): negative where it overlaps a digit's columns
    if gaps.min() > NEAR * size or -gaps.min() > 0.4 * width:
        return ""
    place = ((top + bottom) / 2 - line_top) / size  # 0 at the top of the digits, 1 at their bottom
    is_compact = max(width, height) <= MAX_POINT * size and max(width, height) <= 1.8 * min(width, height)
    if is_compact and min(width, height) >= MIN_POINT * stroke and area >= 0.4 * width * height and 0.78 < place < 1.25:
        return "."
    is_filled = area >= MIN_FILL * width * height
    is_flat = is_filled and width >= 1.6 * height and height <= 0.3 * size and height >= 0.4 * stroke
    if is_flat and MINUS_WIDTHS[0] * size <= width <= MINUS_WIDTHS[1] * size and 0.28 < place < 0.75:
        return "-"
    return ""


def _band(digits: NDArray[np.intp], x: float) -> tuple[float, float]:
    """Return top and bottom of the line at a column: those of the nearest digit on each side, averaged."""
    centers = (digits[:, 1] + digits[:, 3]) / 2
    before, after = np.flatnonzero(centers <= x)[-1:], np.flatnonzero(centers > x)[:1]
    near = digits[np.concatenate([before, after])]
    return float(near[:, 0].mean()), float(near[:, 2].mean())
