"""The normalization of a gray picture of one digit to a 28x28 image, as the makers of MNIST would have made it.

There are four cases. A picture that looks like MNIST is returned unchanged. A drawing on a uniform background keeps
every gray level of its digit. A picture of MNIST's own size, with noise or lines on it, keeps its digit where it is if
it is centered. Everything else is treated as a photograph.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import SIDE, Box, Floats, Gray
from inkling.errors import NoDigitError
from inkling.vision.crossing_strokes import is_crossed, is_fainter_inside, is_step_of_light
from inkling.vision.drawing import find_lines, normalize_drawing
from inkling.vision.filled_rectangle import inside_rectangle, is_filled_rectangle
from inkling.vision.foreground import subtract_uniform_background
from inkling.vision.inner_picture import BORDER_WARNING, BOX_WARNING, Uncovered, uncover
from inkling.vision.normalization import (
    MAX_ALTERNATIVES,
    Normalization,
    Normalized,
    enlarge_box,
    first_reading,
    shift_box,
    with_warnings,
)
from inkling.vision.photo import normalize_photo
from inkling.vision.placed_digit import box_or_raise, check_not_blank
from inkling.vision.placement import bounding_box, looks_like_mnist
from inkling.vision.plateaus import has_plateau
from inkling.vision.segmentation import check_single, is_pair
from inkling.vision.small_alternatives import FILLED, LIKELY, MAX_SOLID_OF_EDGES, filled, variant
from inkling.vision.small_picture import normalize_small

MAX_SIDE = 2048
"""A picture with a longer side is reduced before anything else: that bounds memory and time.

Rulings one pixel wide vanish with it, and are no strokes: `python -m benchmarks.large_pictures`.
"""
PAIR_WARNING = "the strokes may be two digits side by side: if they are, read them as a number"


def normalize(gray: NDArray[np.uint8] | NDArray[np.float32]) -> Normalized:
    """Return the image (28, 28) that MNIST's makers would have made of a gray picture (h, w), 0 black to 255 white.

    Raises:
        NoDigitError: the picture is blank, is all foreground or noise, or shows several digits.
    """
    step = -(-max(gray.shape) // MAX_SIDE)
    if step > 1:
        return enlarge_box(normalize(np.asarray(Image.fromarray(gray).reduce(step))), step, gray.shape)
    if looks_like_mnist(gray):
        warnings = (PAIR_WARNING,) if is_pair(gray > 0) else ()  # a single digit may have a gap
        report = Normalization(is_untouched=True, inverted=False, box=None, background_removed=False, warnings=warnings)
        image = gray.astype(np.uint8)
        solid = filled(image, MAX_SOLID_OF_EDGES)
        if solid is None:
            return Normalized(image, report)
        changed = replace(report, is_untouched=False, box=bounding_box(gray > 0))
        return Normalized(image, report, (variant(solid, changed, FILLED, weight=LIKELY),))
    check_not_blank(gray)
    return _normalize_bordered(gray)


def _normalize_bordered(gray: Gray | Floats) -> Normalized:
    """Normalize a picture that may have borders."""
    uncovered = uncover(gray)
    if uncovered is not None and BOX_WARNING not in uncovered.warnings:
        if is_step_of_light(gray, uncovered.box):
            uncovered = None
        elif is_crossed(gray, uncovered.box):
            uncovered = replace(uncovered, is_sure=False)
    elif uncovered is not None and is_fainter_inside(gray, uncovered.box):
        uncovered = replace(uncovered, is_sure=False)  # an empty square of squared paper
    return _normalize_whole(gray) if uncovered is None else _normalize_uncovered(gray, uncovered)


def normalize_all(pictures: Iterable[NDArray[np.uint8]]) -> list[Normalized]:
    """Normalize pictures one after another.

    Raises:
        NoDigitError: a picture does not show exactly one digit; the message says which picture.
    """
    normalized = []
    for i, picture in enumerate(pictures, 1):
        try:
            normalized.append(normalize(picture))
        except NoDigitError as error:
            raise type(error)(f"image {i}: {error}") from error
    return normalized


def _normalize_uncovered(gray: Gray | Floats, uncovered: Uncovered) -> Normalized:
    """Normalize what borders surround; where that is doubtful, the picture with its borders is another reading."""
    try:
        inside = _normalize_inside(uncovered)
    except NoDigitError as refusal:
        if uncovered.is_sure:
            return _normalize_outside(gray, uncovered.box, refusal)
        return _normalize_whole(gray)
    if uncovered.is_sure:
        return inside
    try:
        whole = _normalize_whole(gray)
    except NoDigitError:
        return inside
    if _is_cut(inside, uncovered, gray.shape):
        return whole
    others = (inside, *whole.alternatives, *inside.alternatives)[:MAX_ALTERNATIVES]
    return replace(whole, alternatives=tuple(replace(other, alternatives=()) for other in others))


def _normalize_outside(gray: Gray | Floats, box: Box, refusal: NoDigitError) -> Normalized:
    """Normalize a picture whose digit lies, in part, outside of what borders surround: that is no picture of it."""
    try:
        whole = _normalize_whole(gray)
    except NoDigitError:
        raise refusal from None
    found = whole.report.box
    if found is None or _contains(box, found) or _contains(found, box):
        raise refusal
    return whole


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _is_cut(inside: Normalized, uncovered: Uncovered, shape: tuple[int, ...]) -> bool:
    """Return whether the strokes found inside of doubtful borders may go on at the other side of one.

    No stroke is a border on all four sides.
    """
    if inside.report.box is None:
        return False
    margin = 1 + max(uncovered.gray.shape) // 64
    outer, inner = uncovered.box, inside.report.box
    ends = (inner[0] - outer[0], inner[1] - outer[1], outer[2] - inner[2], outer[3] - inner[3])
    is_open = (outer[0] > 0, outer[1] > 0, outer[2] < shape[1], outer[3] < shape[0])
    return not all(is_open) and any(end <= margin and cut for end, cut in zip(ends, is_open, strict=True))


def _normalize_inside(uncovered: Uncovered) -> Normalized:
    """Normalize what borders surround, with its box in the pixels of the whole picture."""
    if looks_like_mnist(uncovered.gray):
        check_single(uncovered.gray > 0)
        box = box_or_raise(uncovered.gray > 0)
        report = Normalization(is_untouched=False, inverted=False, box=box, background_removed=False, warnings=())
        inside = Normalized(uncovered.gray.astype(np.uint8), report)
    else:
        inside = _normalize_bordered(uncovered.gray) if not uncovered.is_all else _normalize_whole(uncovered.gray)
    return shift_box(with_warnings(inside, uncovered.warnings), uncovered.left, uncovered.top)


def _normalize_whole(gray: Gray | Floats) -> Normalized:
    """Normalize a picture without borders; if a filled rectangle is its digit, what is inside of that.

    Raises:
        NoDigitError: it shows no digit, or nothing but a filled rectangle.
    """
    whole = _normalize_strokes(gray)
    box = whole.report.box
    if box is None or not is_filled_rectangle(whole.pixels):
        return whole
    inner = inside_rectangle(gray, box)
    if inner is None:
        raise NoDigitError("the picture shows no digit but a filled rectangle; expected strokes")
    left, top, right, bottom = inner
    inside = _normalize_strokes(gray[top:bottom, left:right])
    return shift_box(with_warnings(inside, (BORDER_WARNING,)), left, top)


def _normalize_strokes(gray: Gray | Floats) -> Normalized:
    """Normalize a picture whose background is a drawing's, or a photograph's."""
    drawing = subtract_uniform_background(gray)
    if gray.shape == (SIDE, SIDE):
        return normalize_small(gray.astype(np.float32), drawing)
    if drawing is not None and not has_plateau(drawing.levels, drawing.contrast):
        lines = find_lines(drawing)
        if lines is not None and not lines.is_sure:
            return first_reading([lambda: normalize_drawing(drawing), lambda: normalize_photo(gray)])
        normalized = None if lines is not None else normalize_drawing(drawing)
        if normalized is not None:
            return normalized
    return normalize_photo(gray)
