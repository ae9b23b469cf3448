"""From a gray picture to its page: the lines, the marks, and every image that may be one of its digits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Box, Floats, Gray
from inkling.errors import NoDigitError
from inkling.vision.foreground import Foreground, subtract_uniform_background
from inkling.vision.inner_picture import uncover
from inkling.vision.numbers.groups import StrokeMap, divide_line
from inkling.vision.numbers.lines import digits_of, group_into_lines, wide_gaps
from inkling.vision.numbers.marks import find_marks
from inkling.vision.numbers.page import MAX_DIGITS, MAX_PIECES, Group, Line, Page, union_of_boxes
from inkling.vision.numbers.strokes import Strokes, find_strokes, merge_broken, stroke_width, strokes_in, typical_height
from inkling.vision.paper import foregrounds_on_paper
from inkling.vision.placed_digit import check_not_blank
from inkling.vision.ruled_lines import remove_ruled_lines

WORK_SIDE = 1024
"""A larger picture is downscaled to this many pixels on its longer side."""
STRONG = 0.25
"""Of the contrast: fainter foreground of a drawing does not connect strokes."""
MIN_HEIGHT = 5
"""Pixels of the smallest digits."""
BAND = 0.5
"""Of the digits' height: how far above and below a line its marks and parts are searched for."""


def find_page(gray: NDArray[np.uint8] | NDArray[np.float32]) -> Page:
    """Return the numbers of a picture (h, w), 0 black to 255 white, undecided: its lines, marks and possible digits.

    Raises:
        NoDigitError: the picture is blank, shows no strokes as of digits, or more than MAX_DIGITS of them.
    """
    uncovered = uncover(gray)
    if uncovered is None or not uncovered.is_sure:
        return _find_page(gray)
    page = _find_page(uncovered.gray)
    left, top = uncovered.left, uncovered.top
    lines = tuple(
        _with_boxes(line, lambda box: (box[0] + left, box[1] + top, box[2] + left, box[3] + top)) for line in page.lines
    )
    return Page(page.images, lines, (*uncovered.warnings, *page.warnings))


def _find_page(gray: Gray | Floats) -> Page:
    """Return the numbers of a picture without borders."""
    step = -(-max(gray.shape) // WORK_SIDE)
    small = gray if step == 1 else np.asarray(Image.fromarray(gray).reduce(step))
    page, strokes, warnings = _find_strokes(small)
    if not len(strokes.numbers):
        raise NoDigitError("the picture shows no digit: it has no strokes")
    height = typical_height(strokes)
    if height < MIN_HEIGHT:
        raise NoDigitError(
            f"the picture shows no digit: its strokes are {height:.0f} pixels high, expected {MIN_HEIGHT}"
        )
    strokes = merge_broken(strokes, height)
    page = replace(page, labels=strokes.labels)
    is_digit = digits_of(strokes, height)
    digits, others = strokes.select(is_digit), strokes.select(~is_digit)
    _check_count(len(digits.numbers))
    pen = stroke_width(strokes_in(page.labels, digits))
    found = [_find_line(page, digits.select(line), others, pen) for line in group_into_lines(digits.boxes)]
    lines = [_enlarge(line, step, gray.shape) for line, _ in found]
    images = list(chain.from_iterable(images for _, images in found))
    _check_count(sum(not group.mark for line in lines for group in line.groups), len(images))
    return Page(np.stack(images), tuple(lines), warnings)


def _find_strokes(gray: Gray | Floats) -> tuple[StrokeMap, Strokes, tuple[str, ...]]:
    check_not_blank(gray)
    foreground = subtract_uniform_background(gray)
    if foreground is None or remove_ruled_lines(foreground.levels.astype(np.float32)) is not None:
        foreground = foregrounds_on_paper(gray.astype(np.float32))[0]
        strong, levels = foreground.mask, _without_grain(foreground)
    else:
        strong, levels = foreground.levels > STRONG * foreground.contrast, foreground.levels
    strokes = find_strokes(strong, foreground.levels)
    return StrokeMap(levels, strokes.labels, foreground.mask & ~strong), strokes, foreground.removed


def _without_grain(foreground: Foreground) -> Gray:
    """Return the levels without the background's grain and JPEG artifacts."""
    floor = min(0.5, max(1.5 * foreground.noise / foreground.contrast, 0.1)) * 255
    levels: Gray = np.clip((foreground.levels - floor) * (255 / (255 - floor)), foreground.mask, 255).astype(np.uint8)
    return levels


def _find_line(page: StrokeMap, digits: Strokes, others: Strokes, pen: float) -> tuple[Line, list[Gray]]:
    """Return a line, given its digits from left to right, and the images of its pieces."""
    height = float(np.median(digits.heights))
    top, bottom = digits.boxes[:, 0].min() - BAND * height, digits.boxes[:, 2].max() + BAND * height
    near = others.select((others.boxes[:, 0] >= top) & (others.boxes[:, 2] <= bottom))
    kinds = np.array(find_marks(near, digits, pen), np.str_)
    divided = divide_line(page, digits, near.select(kinds == ""), height)
    marks = [Group(_xyxy(box), str(kind)) for box, kind in zip(near.boxes, kinds, strict=True) if kind]
    groups = sorted([*(group for group, _ in divided), *marks], key=lambda group: group.box[0] + group.box[2])
    images = list(chain.from_iterable(images for _, images in divided))
    return Line(union_of_boxes([group.box for group in groups]), _spaced(groups, height)), images


def _spaced(groups: Sequence[Group], height: float) -> tuple[Group, ...]:
    boxes = np.array([group.box for group in groups])[:, [1, 0, 3, 2]]
    return tuple(
        replace(group, is_spaced=bool(wide)) for group, wide in zip(groups, wide_gaps(boxes, height), strict=True)
    )


def _xyxy(box: NDArray[np.intp]) -> Box:
    top, left, bottom, right = map(int, box)
    return left, top, right, bottom


def _enlarge(line: Line, step: int, shape: tuple[int, ...]) -> Line:
    """Return the line of a picture (h, w) that was reduced `step` times, in the picture's pixels."""

    def enlarge(box: Box) -> Box:
        left, top, right, bottom = (side * step for side in box)
        return left, top, min(right, shape[1]), min(bottom, shape[0])

    return _with_boxes(line, enlarge)


def _with_boxes(line: Line, change: Callable[[Box], Box]) -> Line:
    """Return the line with each of its boxes changed."""
    groups = tuple(
        replace(
            group,
            box=change(group.box),
            pieces=tuple(replace(piece, box=change(piece.box)) for piece in group.pieces),
        )
        for group in line.groups
    )
    return Line(change(line.box), groups)


def _check_count(groups: int, images: int = 0) -> None:
    if groups > MAX_DIGITS or images > MAX_PIECES:
        raise NoDigitError(
            f"the picture shows {groups} groups of strokes, more than {MAX_DIGITS} digits; crop it to fewer"
        )
