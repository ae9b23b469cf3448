"""The normalization of a gray picture of one digit to a 28x28 image, as the makers of MNIST would have made it.

There are four cases. A picture that looks like MNIST is returned unchanged. A drawing on a uniform background keeps
every gray level of its digit. A picture of MNIST's own size, with noise or lines on it, keeps its digit where it is if
it is centered. Everything else is treated as a photograph.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import DIGIT_SIDE, SIDE, Box, Floats, Gray, Mask
from inkling.errors import NoDigitError
from inkling.vision.connected_components import label
from inkling.vision.crossing_strokes import is_crossed
from inkling.vision.foreground import (
    Foreground,
    estimate_noise,
    subtract_uniform_background,
    subtract_varying_background,
    threshold_foreground,
)
from inkling.vision.inner_picture import BOX_WARNING, Uncovered, uncover
from inkling.vision.paper import foregrounds_on_paper
from inkling.vision.placement import (
    bounding_box,
    center_of_mass,
    longer_side,
    looks_like_mnist,
    place_in_frame,
    stretch_contrast,
)
from inkling.vision.pooling import max_pool, upsample
from inkling.vision.ruled_lines import Unruled, remove_ruled_lines
from inkling.vision.segmentation import check_single, dilate, select_digit
from inkling.vision.small_alternatives import FILLED, MAX_SOLID_OF_EDGES, changed, filled, stretched, without_clouds
from inkling.vision.stripes import remove_stripes

MAX_SIDE = 4096
"""A picture with a longer side is reduced before anything else: that bounds memory. Phones' photos have less."""
WORK_SIDE = 256
"""A large picture is downscaled to this many pixels on its longer side before its digit is searched for."""
SHARP_SIDE = 60
"""If the digit is smaller than this in the downscaled picture, crop around it and redo the work at higher resolution.

Below WORK_SIDE / 4, so that the crop always shrinks and the recursion ends.
"""
MAX_DRAWING_COMPONENTS = 12
"""A drawing has at most this many connected components; a picture with more is noise on a uniform background."""
MIN_CONTRAST = 8
"""Gray levels."""
MIN_SIDE = 5
"""Pixels of the longer side of the smallest digit."""
MAX_ASPECT_RATIO = 2.5
"""Width / height of a digit; in MNIST it is at most 1.8."""
MAX_ALTERNATIVES = 7
"""Readings of a picture beside its first one: each takes the network 3 us, and a kilobyte between processes."""
MOVED = "marks beside the digit were removed, and it was moved"
MAX_OFFSET = 2
"""Pixels of the center of mass of MNIST's digits from the center of the frame, with marks on them: half without."""
SOLID_BLOCKS = ((12, 12), (8, 18))
"""Rows and columns, all foreground, that are too large for a stroke; none of MNIST's 70,000 digits has them."""


@dataclass(frozen=True)
class Normalization:
    """The report on what was done to a picture."""

    is_untouched: bool
    """Whether it looked like MNIST, so that nothing was done."""
    inverted: bool
    """Whether its digit was darker than its background."""
    box: Box | None
    """The digit's box, in the picture's pixels; None if the picture is untouched."""
    background_removed: bool
    """Whether its background was anything but plain black or white."""
    warnings: tuple[str, ...]
    """One sentence each."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Normalization":
        """Return the report of which `dataclasses.asdict` was sent as JSON."""
        box, warnings = fields["box"], fields["warnings"]
        return cls(**{**fields, "box": None if box is None else tuple(box), "warnings": tuple(warnings)})


@dataclass(frozen=True)
class Normalized:
    """A picture as the network reads it, and the report on how it was made."""

    pixels: Gray
    """(28, 28), 0 background to 255 foreground."""
    report: Normalization
    alternatives: tuple["Normalized", ...] = ()
    """Other plausible readings of the same picture, MAX_ALTERNATIVES at most, which have none themselves.

    Here nothing chooses among them: the network does, in `inkling.readings`.
    """


def normalize(gray: NDArray[np.uint8] | NDArray[np.float32]) -> Normalized:
    """Return the image (28, 28) that MNIST's makers would have made of a gray picture (h, w), 0 black to 255 white.

    Raises:
        NoDigitError: the picture is blank, is all foreground or noise, or shows several digits.
    """
    step = -(-max(gray.shape) // MAX_SIDE)
    if step > 1:
        return _enlarge_box(normalize(np.asarray(Image.fromarray(gray).reduce(step))), step, gray.shape)
    if looks_like_mnist(gray):
        check_single(gray > 0)
        report = Normalization(is_untouched=True, inverted=False, box=None, background_removed=False, warnings=())
        return _with_alternatives(
            Normalized(gray.astype(np.uint8), report),
            {FILLED: filled(gray.astype(np.uint8), MAX_SOLID_OF_EDGES)},
            replace(report, is_untouched=False, box=bounding_box(gray > 0)),
        )
    low, high = float(gray.min()), float(gray.max())
    if high - low < MIN_CONTRAST:
        raise NoDigitError(
            f"the picture is blank: its gray levels go from {low:.0f} to {high:.0f}, "
            f"but a digit must differ from its background by at least {MIN_CONTRAST}"
        )
    uncovered = uncover(gray)
    if uncovered is not None and BOX_WARNING not in uncovered.warnings and is_crossed(gray, uncovered.box):
        uncovered = replace(uncovered, is_sure=False)
    return _normalize_whole(gray) if uncovered is None else _normalize_uncovered(gray, uncovered)


def _normalize_uncovered(gray: Gray | Floats, uncovered: Uncovered) -> Normalized:
    """Normalize what borders surround; where that is doubtful, the picture with its borders is another reading."""
    try:
        inside = _normalize_inside(uncovered)
    except NoDigitError:
        if uncovered.is_sure:
            raise
        return _normalize_whole(gray)
    if uncovered.is_sure:
        return inside
    try:
        whole = _normalize_whole(gray)
    except NoDigitError:
        return inside
    others = (inside, *whole.alternatives, *inside.alternatives)[:MAX_ALTERNATIVES]
    return replace(whole, alternatives=tuple(replace(other, alternatives=()) for other in others))


def _normalize_inside(uncovered: Uncovered) -> Normalized:
    """Normalize what borders surround, with its box in the pixels of the whole picture."""
    if looks_like_mnist(uncovered.gray):
        check_single(uncovered.gray > 0)
        box = _box_or_raise(uncovered.gray > 0)
        report = Normalization(is_untouched=False, inverted=False, box=box, background_removed=False, warnings=())
        inside = Normalized(uncovered.gray.astype(np.uint8), report)
    else:
        inside = _normalize_whole(uncovered.gray)
    return _shift_box(_warn(inside, uncovered.warnings), uncovered.left, uncovered.top)


def _warn(normalized: Normalized, warnings: tuple[str, ...]) -> Normalized:
    """Return the result with warnings before those of all its readings."""
    return replace(
        normalized,
        report=replace(normalized.report, warnings=warnings + normalized.report.warnings),
        alternatives=tuple(_warn(reading, warnings) for reading in normalized.alternatives),
    )


def _normalize_whole(gray: Gray | Floats) -> Normalized:
    """Normalize a picture without borders."""
    drawing = subtract_uniform_background(gray)
    if gray.shape == (SIDE, SIDE):
        return _normalize_mnist_size(gray.astype(np.float32), drawing)
    if drawing is not None:
        lines = _find_lines(drawing)
        if lines is not None and not lines.is_sure:
            return _read_in_all_ways([lambda: _normalize_drawing(drawing), lambda: _normalize_photo(gray)])
        normalized = None if lines is not None else _normalize_drawing(drawing)
        if normalized is not None:
            return normalized
    return _normalize_photo(gray)


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


def _normalize_drawing(drawing: Foreground) -> Normalized | None:
    """Normalize a drawing on a uniform background; return None if it has too many components to be one."""
    step = -(-max(drawing.mask.shape) // WORK_SIDE)
    coarse = max_pool(drawing.mask, step)
    if label(coarse)[1] > MAX_DRAWING_COMPONENTS:
        return None
    # Refuse several digits; faint pixels are left out, because they might connect two of them.
    select_digit(max_pool(drawing.levels > 0.25 * drawing.contrast, step), is_noisy=False)
    digit = select_digit(coarse, is_noisy=False, is_surely_one=True)
    mask = drawing.mask & upsample(digit, step, drawing.mask.shape)
    return _place(np.where(mask, drawing.levels, 0).astype(np.uint8), mask, drawing)


def _find_lines(drawing: Foreground) -> Unruled | None:
    """Return a reduced drawing without the lines of its paper, None if it has none; they reach two opposite edges."""
    mask = drawing.mask
    if not ((mask[:, 0].any() and mask[:, -1].any()) or (mask[0].any() and mask[-1].any())):
        return None
    step = -(-max(mask.shape) // WORK_SIDE)
    return remove_ruled_lines(np.asarray(Image.fromarray(drawing.levels).reduce(step), np.float32))


def _normalize_mnist_size(gray: Floats, drawing: Foreground | None) -> Normalized:
    """Normalize a picture of 28x28 pixels, with alternatives: what is not sure at this size, the network decides."""
    if drawing is not None and longer_side(_box_or_raise(drawing.mask)) <= DIGIT_SIDE:
        first = _normalize_drawing(drawing)
        if first is not None:
            images = changed(first.pixels)
            if _is_balanced(drawing.levels):
                images = {"": stretched(drawing.levels), **images}
            return _with_alternatives(first, images, first.report)
    noise = estimate_noise(gray)
    unstriped = remove_stripes(gray, noise)
    if unstriped is not None:
        foreground = threshold_foreground(unstriped, noise, inverted=False)
    elif drawing is not None:
        thresholded = threshold_foreground(drawing.levels.astype(np.float32), noise, inverted=drawing.inverted)
        foreground = replace(thresholded, levels=drawing.levels)
    else:
        foreground = subtract_varying_background(gray)
    _check_contrast(foreground)
    if unstriped is None:
        check_single(foreground.mask)
    warnings: tuple[str, ...] = ("stripes were removed",) if unstriped is not None else ()
    digit = select_digit(foreground.mask, is_noisy=True, is_surely_one=True)
    first = _unmoved_or_placed(foreground, digit, warnings)
    images = {"": stretched(foreground.levels), **_without_marks(foreground, digit), **changed(foreground.levels)}
    if drawing is None:
        images["clouds were removed"] = without_clouds(gray, inverted=foreground.inverted)
    return _with_alternatives(first, images, _report(foreground, _box_or_raise(foreground.mask), warnings))


def _without_marks(foreground: Foreground, digit: Mask) -> dict[str, Gray]:
    """Return the digit of a picture of 28x28 pixels without other marks, by a warning; unless it is centered, moved."""
    levels = np.where(dilate(digit, 1), foreground.levels, 0).astype(np.uint8)
    images = {"marks beside the digit were removed": levels}
    if not _is_balanced(levels):
        with contextlib.suppress(NoDigitError):
            images[MOVED] = _place(levels, digit, foreground).pixels
    return images


def _unmoved_or_placed(foreground: Foreground, digit: Mask, warnings: tuple[str, ...]) -> Normalized:
    """Normalize the foreground of a picture of 28x28 pixels; a centered digit is not moved."""
    box = _box_or_raise(digit)
    levels = np.where(dilate(digit, 1), foreground.levels, 0).astype(np.uint8)
    if _touches_opposite_edges(box):
        warnings += ("a line crosses the picture from edge to edge: the digit was not moved",)
    elif not (_is_centered(box) or _is_balanced(levels)):
        return _place(levels, digit, foreground, warnings)
    return Normalized(stretch_contrast(foreground.levels), _report(foreground, box, warnings))


def _with_alternatives(first: Normalized, images: Mapping[str, Gray | None], report: Normalization) -> Normalized:
    """Return a reading with alternative images, each by a warning that says what was done; twins are left out."""
    seen = {first.pixels.tobytes()}
    alternatives = []
    for warning, image in images.items():
        if image is not None and image.any() and image.tobytes() not in seen:
            seen.add(image.tobytes())
            alternatives.append(
                Normalized(image, replace(report, warnings=(*report.warnings, *filter(None, [warning]))))
            )
    return replace(first, alternatives=tuple(alternatives))


def _normalize_photo(gray: Gray | Floats, *, only_first: bool = False) -> Normalized:
    """Normalize a photograph, with what else its foreground may be as alternatives."""
    step = -(-max(gray.shape) // WORK_SIDE)
    small = np.asarray(Image.fromarray(gray).reduce(step), np.float32)
    foregrounds = foregrounds_on_paper(small)[: 1 if only_first else None]
    return _read_in_all_ways(
        partial(_read_photo, gray, foreground, step, only_first=only_first or i > 0)
        for i, foreground in enumerate(foregrounds)
    )


def _read_in_all_ways(ways: Iterable[Callable[[], Normalized | None]]) -> Normalized:
    """Return the first reading that finds a digit, with the other ones as alternatives.

    Raises:
        NoDigitError: no way finds one; the first refusal.
    """
    readings: list[Normalized] = []
    refusals: list[NoDigitError] = []
    for read in ways:
        try:
            reading = read()
        except NoDigitError as error:
            refusals.append(error)
        else:
            readings += () if reading is None else (reading, *reading.alternatives)
    if not readings:
        raise refusals[0]
    others = tuple(replace(other, alternatives=()) for other in readings[1 : MAX_ALTERNATIVES + 1])
    return replace(readings[0], alternatives=others)


def _read_photo(gray: Gray | Floats, foreground: Foreground, step: int, *, only_first: bool) -> Normalized:
    """Normalize a photograph, given its foreground in the picture reduced `step` times."""
    _check_contrast(foreground)
    digit = select_digit(foreground.mask, is_noisy=True)
    left, top, right, bottom = box = _box_or_raise(digit)
    if step > 1 and longer_side(box) < SHARP_SIDE:
        margin = longer_side(box) // 2 + 2
        left, top = max(0, left - margin) * step, max(0, top - margin) * step
        right, bottom = (right + margin) * step, (bottom + margin) * step
        return _shift_box(_normalize_photo(gray[top:bottom, left:right], only_first=only_first), left, top)
    floor = min(0.5, max(1.5 * foreground.noise / foreground.contrast, 0.1)) * 255  # grain and JPEG artifacts
    levels = np.where(digit, np.clip((foreground.levels - floor) * (255 / (255 - floor)), 0, 255), 0)
    return _enlarge_box(_place(levels.astype(np.uint8), digit, foreground, foreground.removed), step, gray.shape)


def _enlarge_box(normalized: Normalized, step: int, shape: tuple[int, ...]) -> Normalized:
    """Return the result for a picture (h, w) that was reduced `step` times with its box in the picture's pixels."""

    def enlarge(box: Box) -> Box:
        left, top, right, bottom = (side * step for side in box)
        return left, top, min(right, shape[1]), min(bottom, shape[0])

    return _change_boxes(normalized, enlarge)


def _shift_box(normalized: Normalized, x: int, y: int) -> Normalized:
    """Return the result of a crop with its box in the pixels of the whole picture."""
    return _change_boxes(normalized, lambda box: (box[0] + x, box[1] + y, box[2] + x, box[3] + y))


def _change_boxes(normalized: Normalized, change: Callable[[Box], Box]) -> Normalized:
    """Return the result with the boxes of all its readings changed; a reading of an untouched picture has none."""
    box = normalized.report.box
    return replace(
        normalized,
        report=replace(normalized.report, box=None if box is None else change(box)),
        alternatives=tuple(_change_boxes(reading, change) for reading in normalized.alternatives),
    )


def _place(levels: Gray, mask: Mask, foreground: Foreground, warnings: tuple[str, ...] = ()) -> Normalized:
    """Crop the digit, check that it can be one, and place it."""
    left, top, right, bottom = box = _box_or_raise(mask)
    digit = levels[top:bottom, left:right]
    if not digit.any():
        raise NoDigitError("the picture shows no digit: its strokes are as faint as its noise")
    height, width = digit.shape
    _check_size(width, height)
    placed = place_in_frame(digit)
    if any(sliding_window_view(placed > 127, block).all(axis=(2, 3)).any() for block in SOLID_BLOCKS):
        raise NoDigitError(
            f"the picture shows no digit but a solid area: half of a box of {width}x{height} pixels is filled; "
            "expected strokes"
        )
    if max(width, height) < DIGIT_SIDE / 2:
        warnings += (f"the digit is only {width}x{height} pixels and was enlarged; use a larger picture",)
    if foreground.contrast < 4 * MIN_CONTRAST:
        warnings += (f"the contrast is {foreground.contrast:.0f} of 255 gray levels and was stretched",)
    return Normalized(placed, _report(foreground, box, warnings))


def _report(foreground: Foreground, box: Box, warnings: tuple[str, ...]) -> Normalization:
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


def _check_contrast(foreground: Foreground) -> None:
    least = max(MIN_CONTRAST, 1.5 * foreground.noise)
    if foreground.contrast < least:
        raise NoDigitError(
            f"the picture shows no digit: its contrast is {foreground.contrast:.0f} of 255 gray levels, "
            f"but with noise of {foreground.noise:.0f} it must be at least {least:.0f}"
        )


def _touches_opposite_edges(box: Box) -> bool:
    left, top, right, bottom = box
    return (left <= 1 and right >= SIDE - 1) or (top <= 1 and bottom >= SIDE - 1)


def _is_centered(box: Box) -> bool:
    left, top, right, bottom = box
    return 17 <= longer_side(box) <= 23 and abs(left + right - SIDE) <= 6 and abs(top + bottom - SIDE) <= 6


def _is_balanced(levels: Gray) -> bool:
    """Return whether the center of mass of a frame (28, 28) is near its center, as of a digit with marks on it."""
    return all(abs(center - SIDE / 2) <= MAX_OFFSET for center in center_of_mass(levels))


def _box_or_raise(mask: Mask) -> Box:
    box = bounding_box(mask)
    if box is None:
        raise NoDigitError("the picture shows no digit: it has no strokes")
    return box
