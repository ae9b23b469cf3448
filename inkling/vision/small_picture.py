"""The normalization of a picture of MNIST's own size with noise or lines on it, or not centered."""

import contextlib
from dataclasses import replace

import numpy as np

from inkling.digit import DIGIT_SIDE, SIDE, Box, Floats, Gray, Mask
from inkling.errors import NoDigitError
from inkling.vision.drawing import normalize_drawing
from inkling.vision.foreground import Foreground, estimate_noise, subtract_varying_background, threshold_foreground
from inkling.vision.normalization import FIRST, Normalization, Normalized, with_alternatives
from inkling.vision.placed_digit import box_or_raise, check_contrast, place_digit, report_on
from inkling.vision.placement import center_of_mass, longer_side, stretch_contrast
from inkling.vision.pooling import dilate
from inkling.vision.segmentation import check_single, is_pair, select_digit
from inkling.vision.small_alternatives import DOUBTFUL, LIKELY, changed, unchanged, variant, without_clouds
from inkling.vision.stripes import remove_stripes

MOVED = "marks beside the digit were removed, and it was moved"
FAINT_LEVEL = 40
"""From this level on, a pixel of a picture without noise may join strokes."""
MAX_OFFSET = 2
"""Pixels of the center of mass of MNIST's digits from the center of the frame, with marks on them: half without."""


def normalize_small(gray: Floats, drawing: Foreground | None) -> Normalized:
    """Normalize a picture of 28x28 pixels, with alternatives: what is not sure at this size, the network decides."""
    if drawing is not None and longer_side(box_or_raise(drawing.mask)) <= DIGIT_SIDE:
        first = normalize_drawing(drawing)
        if first is not None:
            return with_alternatives(first, unchanged(gray, first.report) + changed(first.pixels, first.report))
    noise = estimate_noise(gray)
    unstriped = remove_stripes(gray, noise)
    if unstriped is not None:
        foreground = threshold_foreground(unstriped, noise, inverted=False)
    elif drawing is not None:
        thresholded = threshold_foreground(drawing.levels.astype(np.float32), noise, inverted=drawing.inverted)
        foreground = replace(thresholded, levels=drawing.levels)
    else:
        foreground = subtract_varying_background(gray)
    check_contrast(foreground)
    # Faint smears, if they are no noise, may join the halves of a digit.
    if unstriped is None and (foreground.noise or is_pair(foreground.levels > FAINT_LEVEL)):
        check_single(foreground.mask)
    warnings: tuple[str, ...] = ("stripes were removed",) if unstriped is not None else ()
    digit = select_digit(foreground.mask, is_noisy=True, is_surely_one=True)
    first = _unmoved_or_placed(foreground, digit, warnings)
    if unstriped is None:
        first = replace(first, weight=DOUBTFUL / FIRST)
    report = report_on(foreground, box_or_raise(foreground.mask), warnings)
    others = unchanged(gray, report) + _without_marks(foreground, digit, report) + changed(foreground.levels, report)
    if drawing is None:
        clear = without_clouds(gray, inverted=foreground.inverted)
        others.append(variant(clear, report, "clouds were removed", weight=LIKELY))
    return with_alternatives(first, others)


def _without_marks(foreground: Foreground, digit: Mask, report: Normalization) -> list[Normalized]:
    """Return readings of the digit of a picture of 28x28 pixels without other marks; unless it is centered, moved."""
    levels = np.where(dilate(digit, 1), foreground.levels, 0).astype(np.uint8)
    readings = [variant(levels, report, "marks beside the digit were removed")]
    if not _is_balanced(levels):
        with contextlib.suppress(NoDigitError):
            readings.append(variant(place_digit(levels, digit, foreground).pixels, report, MOVED))
    return readings


def _unmoved_or_placed(foreground: Foreground, digit: Mask, warnings: tuple[str, ...]) -> Normalized:
    """Normalize the foreground of a picture of 28x28 pixels; a centered digit is not moved."""
    box = box_or_raise(digit)
    levels = np.where(dilate(digit, 1), foreground.levels, 0).astype(np.uint8)
    if _touches_opposite_edges(box):
        warnings += ("a line crosses the picture from edge to edge: the digit was not moved",)
    elif not (_is_centered(box) or _is_balanced(levels)):
        return place_digit(levels, digit, foreground, warnings)
    return Normalized(stretch_contrast(foreground.levels), report_on(foreground, box, warnings))


def _touches_opposite_edges(box: Box) -> bool:
    left, top, right, bottom = box
    return (left <= 1 and right >= SIDE - 1) or (top <= 1 and bottom >= SIDE - 1)


def _is_centered(box: Box) -> bool:
    left, top, right, bottom = box
    return 17 <= longer_side(box) <= 23 and abs(left + right - SIDE) <= 6 and abs(top + bottom - SIDE) <= 6


def _is_balanced(levels: Gray) -> bool:
    """Return whether the center of mass of a frame (28, 28) is near its center, as of a digit with marks on it."""
    return all(abs(center - SIDE / 2) <= MAX_OFFSET for center in center_of_mass(levels))
