"""Any picture of one digit -> 28x28, the way MNIST's makers would have made it.

A picture that looks like MNIST passes untouched. One drawn on an even ground keeps every level of its ink. One of
MNIST's own size, with noise or lines on it, keeps its digit where it lies if it lies well. All else is a photograph.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import DIGIT_SIDE, SIDE, Box, Floats, Gray, Mask
from inkling.errors import NoDigitError
from inkling.vision.connected_components import label
from inkling.vision.foreground import Ink, noise_of, of_levels, on_even_background, on_paper
from inkling.vision.placement import box_of, longer_side, looks_like_mnist, place, stretch
from inkling.vision.segmentation import dilate, select_digit
from inkling.vision.stripes import remove_stripes

WORK_SIDE = 256
"""Pixels of the longer side that a large picture is reduced to, to be looked at."""
SHARP_SIDE = 60
"""Pixels of a digit's longer side, in a reduced picture, below which it is looked at again, less reduced.

Under a quarter of WORK_SIDE, so that what is looked at again, twice as large as the digit, is always a smaller part.
"""
SPECKS = 12
"""Strokes of a drawing at most; with more it is noise that is zero in between."""
LEAST_CONTRAST = 8
LEAST_SIDE = 5
"""Pixels of the longer side of the smallest ink that is called a digit."""
WIDEST = 2.5
"""Times its height that a digit may be wide; MNIST's are 1.8 at most."""
BLOBS = ((12, 12), (8, 18))
"""Rows and columns of nothing but ink that are too many for a stroke; none of MNIST's 70,000 digits has them."""


@dataclass(frozen=True)
class Normalization:
    """What was done to a picture."""

    is_untouched: bool
    inverted: bool
    box: Box | None
    """Of the ink, in the picture's pixels; None if the picture is untouched."""
    background_removed: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Normalized:
    pixels: Gray
    """(28, 28), 0 ground to 255 ink."""
    report: Normalization


def normalize(gray: NDArray[np.uint8] | NDArray[np.float32]) -> Normalized:
    """Return the picture (28, 28) that MNIST's makers would have made of a gray one (h, w), 0 black to 255 white.

    Raises:
        NoDigitError: it shows no digit, nothing but ink, or several digits.
    """
    if looks_like_mnist(gray):
        return Normalized(gray.astype(np.uint8), Normalization(True, False, None, False, ()))
    low, high = float(gray.min()), float(gray.max())
    if high - low < LEAST_CONTRAST:
        raise NoDigitError(
            f"the picture is blank: its gray levels go from {low:.0f} to {high:.0f}, "
            f"and ink must differ from its ground by {LEAST_CONTRAST} at least"
        )
    drawn = on_even_background(gray)
    is_of_mnist_size = gray.shape == (SIDE, SIDE)
    if drawn is not None and not (is_of_mnist_size and longer_side(_box_or_raise(drawn.mask)) > DIGIT_SIDE):
        normalized = _drawn(drawn)
        if normalized is not None:
            return normalized
    if is_of_mnist_size:
        return _framed(gray.astype(np.float32), drawn)
    return _photographed(gray)


def normalize_all(pictures: Iterable[NDArray[np.uint8]]) -> list[Normalized]:
    """Normalize pictures one after another.

    Raises:
        NoDigitError: one of them shows no single digit; the message says which.
    """
    normalized = []
    for i, picture in enumerate(pictures, 1):
        try:
            normalized.append(normalize(picture))
        except NoDigitError as error:
            raise NoDigitError(f"image {i}: {error}") from error
    return normalized


def _drawn(ink: Ink) -> Normalized | None:
    """Return the picture made of a drawing; None if there are too many specks on it to be one."""
    step = -(-max(ink.mask.shape) // WORK_SIDE)
    coarse = _max_pool(ink.mask, step)
    if label(coarse)[1] > SPECKS:
        return None
    select_digit(_max_pool(ink.levels > 0.25 * ink.contrast, step), is_noisy=False)  # a faint edge joins no two digits
    digit = select_digit(coarse, is_noisy=False, is_surely_one=True)
    mask = ink.mask & _upsample(digit, step, ink.mask.shape)
    return _placed(np.where(mask, ink.levels, 0).astype(np.uint8), mask, ink)


def _framed(gray: Floats, drawn: Ink | None) -> Normalized:
    """Return the picture made of one of MNIST's size, with noise or lines: a digit that lies well stays there."""
    noise = noise_of(gray)
    unstriped = remove_stripes(gray, noise)
    if unstriped is not None:
        ink = of_levels(unstriped, noise, inverted=False)
    elif drawn is not None:
        ink = replace(of_levels(drawn.levels.astype(np.float32), noise, drawn.inverted), levels=drawn.levels)
    else:
        ink = on_paper(gray)
    _check_contrast(ink)
    digit = select_digit(ink.mask, is_noisy=True, is_surely_one=True)
    box = _box_or_raise(digit)
    warnings: tuple[str, ...] = ("stripes were removed",) if unstriped is not None else ()
    if _is_crossed(box):
        warnings += ("ink crosses the picture from edge to edge: the digit was left where it is",)
    elif not _is_centered(box):
        return _placed(np.where(dilate(digit, 1), ink.levels, 0).astype(np.uint8), digit, ink, warnings)
    return Normalized(stretch(ink.levels), Normalization(False, ink.inverted, box, ink.background_removed, warnings))


def _photographed(gray: Gray | Floats) -> Normalized:
    step = -(-max(gray.shape) // WORK_SIDE)
    small = np.asarray(Image.fromarray(gray).reduce(step), np.float32)
    ink = on_paper(small)
    _check_contrast(ink)
    digit = select_digit(ink.mask, is_noisy=True)
    left, top, right, bottom = box = _box_or_raise(digit)
    height, width = gray.shape
    if step > 1 and longer_side(box) < SHARP_SIDE:
        margin = longer_side(box) // 2 + 2
        left, top = max(0, left - margin) * step, max(0, top - margin) * step
        right, bottom = (right + margin) * step, (bottom + margin) * step
        near = _photographed(gray[top:bottom, left:right])
        return _moved(near, left, top)
    floor = min(0.5, max(1.5 * ink.noise / ink.contrast, 0.1)) * 255  # of grain and of what JPEG adds
    levels = np.where(digit, np.clip((ink.levels - floor) * (255 / (255 - floor)), 0, 255), 0)
    normalized = _placed(levels.astype(np.uint8), digit, ink)
    box = (left * step, top * step, min(right * step, width), min(bottom * step, height))
    return replace(normalized, report=replace(normalized.report, box=box))


def _moved(normalized: Normalized, x: int, y: int) -> Normalized:
    left, top, right, bottom = normalized.report.box or (0, 0, 0, 0)
    box = (left + x, top + y, right + x, bottom + y)
    return replace(normalized, report=replace(normalized.report, box=box))


def _placed(levels: Gray, mask: Mask, ink: Ink, warnings: tuple[str, ...] = ()) -> Normalized:
    left, top, right, bottom = box = _box_or_raise(mask)
    digit = levels[top:bottom, left:right]
    height, width = digit.shape
    if max(width, height) < LEAST_SIDE:
        raise NoDigitError(
            f"the picture shows no digit: its ink is {width}x{height} pixels, {LEAST_SIDE} are needed at least"
        )
    if width > WIDEST * height:
        raise NoDigitError(
            f"the picture shows no single digit: its ink is {width}x{height} pixels, more than {WIDEST} times as wide "
            "as high; crop it to one digit"
        )
    placed = place(digit)
    if any(sliding_window_view(placed > 127, blob).all(axis=(2, 3)).any() for blob in BLOBS):
        raise NoDigitError(
            f"the picture shows no digit but all ink: half of a box of {width}x{height} pixels is filled; "
            "expected strokes"
        )
    if max(width, height) < DIGIT_SIDE / 2:
        warnings += (f"the ink is {width}x{height} pixels only, and was enlarged; send a larger picture",)
    if ink.contrast < 4 * LEAST_CONTRAST:
        warnings += (f"the contrast is {ink.contrast:.0f} of 255 gray levels only, and was stretched",)
    return Normalized(placed, Normalization(False, ink.inverted, box, ink.background_removed, warnings))


def _check_contrast(ink: Ink) -> None:
    least = max(LEAST_CONTRAST, 1.5 * ink.noise)
    if ink.contrast < least:
        raise NoDigitError(
            f"the picture shows no digit: its contrast is {ink.contrast:.0f} of 255 gray levels, "
            f"and its noise of {ink.noise:.0f} asks for {least:.0f} at least"
        )


def _is_crossed(box: Box) -> bool:
    left, top, right, bottom = box
    return (left <= 1 and right >= SIDE - 1) or (top <= 1 and bottom >= SIDE - 1)


def _is_centered(box: Box) -> bool:
    left, top, right, bottom = box
    return 17 <= longer_side(box) <= 23 and abs(left + right - SIDE) <= 6 and abs(top + bottom - SIDE) <= 6


def _box_or_raise(mask: Mask) -> Box:
    box = box_of(mask)
    if box is None:
        raise NoDigitError("the picture shows no digit: there is no ink on it")
    return box


def _max_pool(mask: Mask, step: int) -> Mask:
    """Return whether any pixel is true in each square of `step` pixels."""
    if step == 1:
        return mask
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], step), axis=0)
    pooled: Mask = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], step), axis=1)
    return pooled


def _upsample(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask made by `_max_pool` at the size (h, w) of the picture again."""
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
