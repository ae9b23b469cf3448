"""From a gray picture to its page: the lines, the marks, and every image that may be one of its digits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Box, Floats, Gray
from inkling.errors import NoDigitError
from inkling.vision.inner_picture import BOX_WARNING, Uncovered, uncover
from inkling.vision.numbers.fragments import add_faint_digits, join_fragments
from inkling.vision.numbers.groups import divide_line
from inkling.vision.numbers.lines import group_into_lines, wide_gaps
from inkling.vision.numbers.marks import find_marks
from inkling.vision.numbers.page import MAX_ALTERNATIVES, MAX_DIGITS, MAX_PIECES, Group, Line, Page, union_of_boxes
from inkling.vision.numbers.stroke_maps import StrokeMap, find_stroke_maps
from inkling.vision.numbers.strokes import (
    MIN_HEIGHT,
    Strokes,
    digits_of,
    find_strokes,
    stroke_width,
    strokes_in,
    typical_height,
    without_lines,
)
from inkling.vision.placed_digit import check_not_blank

WORK_SIDE = 1024
"""A larger picture is downscaled to this many pixels on its longer side."""
MANY_PIECES = 1024
"""Images of all readings of a picture, after which it is not read in other ways."""
BAND = 0.5
"""Of the digits' height: how far above and below a line its marks and parts are searched for."""


def find_page(gray: NDArray[np.uint8] | NDArray[np.float32]) -> Page:
    """Return the numbers of a picture (h, w), 0 black to 255 white, undecided: its lines, marks and possible digits.

    Where paper, lines or borders may be seen in several ways, the other ones are the page's alternatives.

    Raises:
        NoDigitError: the picture is blank, shows no strokes as of digits, or more than MAX_DIGITS of them.
    """
    check_not_blank(gray)
    pages: list[Page] = []
    refusals: list[NoDigitError] = []
    for find in _ways(gray):
        try:
            pages.append(find())
        except NoDigitError as error:
            refusals.append(error)
        if sum(len(page.images) for page in pages) > MANY_PIECES:  # others would take long, and be no better
            break
    if not pages:
        raise refusals[0]
    return replace(pages[0], alternatives=tuple(pages[1 : MAX_ALTERNATIVES + 1]))


def _ways(gray: Gray | Floats) -> Iterator[Callable[[], Page]]:
    """Yield the plausible ways to find the page of a picture, the best one first."""
    uncovered = uncover(gray)
    if uncovered is None:
        yield from _ways_without_borders(gray)
    elif uncovered.is_sure and BOX_WARNING not in uncovered.warnings:  # a box may be one of several, each with a digit
        yield from (partial(_shift, find, uncovered) for find in _ways_without_borders(uncovered.gray))
        yield from _ways_without_borders(gray)
    else:
        yield from _ways_without_borders(gray)
        yield from (partial(_shift, find, uncovered) for find in _ways_without_borders(uncovered.gray))


def _ways_without_borders(gray: Gray | Floats) -> Iterator[Callable[[], Page]]:
    step = -(-max(gray.shape) // WORK_SIDE)
    small = gray if step == 1 else np.asarray(Image.fromarray(gray).reduce(step))
    return (partial(_find_page, foreground, step, gray.shape) for foreground in find_stroke_maps(small))


def _shift(find: Callable[[], Page], uncovered: Uncovered) -> Page:
    """Return the page of what borders surround, in the pixels of the whole picture."""
    page = find()
    left, top = uncovered.left, uncovered.top
    lines = tuple(
        _with_boxes(line, lambda box: (box[0] + left, box[1] + top, box[2] + left, box[3] + top)) for line in page.lines
    )
    return replace(page, lines=lines, warnings=(*uncovered.warnings, *page.warnings))


def _find_page(foreground: StrokeMap, step: int, shape: tuple[int, ...]) -> Page:
    """Return the numbers in the foreground of a picture (h, w) that was reduced `step` times."""
    strokes = find_strokes(foreground.strong, foreground.levels)
    _check_any(strokes)
    height = typical_height(strokes)
    if height < MIN_HEIGHT:
        raise NoDigitError(
            f"the picture shows no digit: its strokes are {height:.0f} pixels high, expected {MIN_HEIGHT}"
        )
    strokes = add_faint_digits(foreground, strokes, height)
    strokes = join_fragments(strokes, foreground.weak, height)
    is_digit = digits_of(strokes, height)
    digits, others = strokes.select(is_digit), strokes.select(~is_digit)
    _check_any(digits)
    _check_count(len(digits.numbers))
    pen = stroke_width(strokes_in(strokes.labels, digits))
    digits = without_lines(digits, height, pen)
    found = [_find_line(foreground, digits.select(line), others, pen) for line in group_into_lines(digits.boxes)]
    lines = [_enlarge(line, step, shape) for line, _ in found]
    images = list(chain.from_iterable(images for _, images in found))
    _check_count(sum(not group.mark for line in lines for group in line.groups), len(images))
    return Page(np.stack(images), tuple(lines), foreground.removed)


def _find_line(foreground: StrokeMap, digits: Strokes, others: Strokes, pen: float) -> tuple[Line, list[Gray]]:
    """Return a line, given its digits from left to right, and the images of its pieces."""
    height = float(np.median(digits.heights))
    top, bottom = digits.boxes[:, 0].min() - BAND * height, digits.boxes[:, 2].max() + BAND * height
    near = others.select((others.boxes[:, 0] >= top) & (others.boxes[:, 2] <= bottom))
    kinds = np.array(find_marks(near, digits, pen), np.str_)
    divided = divide_line(foreground, digits, near.select(kinds == ""), height)
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


def _check_any(strokes: Strokes) -> None:
    if not len(strokes.numbers):
        raise NoDigitError("the picture shows no digit: it has no strokes")


def _check_count(groups: int, images: int = 0) -> None:
    if groups > MAX_DIGITS or images > MAX_PIECES:
        raise NoDigitError(
            f"the picture shows {groups} groups of strokes, more than {MAX_DIGITS} digits; crop it to fewer"
        )
