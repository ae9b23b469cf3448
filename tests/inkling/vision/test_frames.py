from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkling.digit import Gray
from inkling.errors import NoDigitError
from inkling.vision.frames import find_cell
from inkling.vision.normalize import normalize
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels

BOX = "a printed box was removed"
DIGIT_HEIGHT = 112

Canvas = NDArray[np.float64]


def digit_canvas(digit: int, shape: tuple[int, int] = (200, 180), corner: tuple[int, int] = (44, 46)) -> Canvas:
    return put(draw_strokes(digit, DIGIT_HEIGHT, 9.0), shape, corner)


def outline(
    corners: list[tuple[float, float]], width: int, shape: tuple[int, int] = (200, 180), level: float = 1.0
) -> Canvas:
    """Return lines from corner to corner, of x and y, 0 background to `level`."""
    canvas = Image.new("L", (shape[1] * 4, shape[0] * 4))
    scaled = [(4 * x, 4 * y) for x, y in corners]
    for start, end in pairwise(scaled):
        ImageDraw.Draw(canvas).line([start, end], fill=255, width=4 * width)
    return np.asarray(canvas.resize(shape[::-1], Image.Resampling.BOX)) / 255 * level


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


OUTLINES = {
    "thin": outline(box(25, 20, 155, 180), 1),
    "thick": outline(box(25, 20, 155, 180), 12),
    "gray": outline(box(25, 20, 155, 180), 3, level=0.4),
    "touching the edge": outline(box(1, 1, 179, 199), 3),
    "tilted": outline([(30, 18), (160, 26), (151, 184), (21, 176), (30, 18)], 2),
    "broken": outline([(60, 20), (155, 20), (155, 180), (25, 180), (25, 20), (45, 20)], 3),
    "open above": outline([(25, 20), (25, 180), (155, 180), (155, 20)], 3),
    "cells beside it": np.maximum(outline([(20, 0), (20, 200)], 2), outline([(160, 0), (160, 200)], 2))
    + np.maximum(outline([(0, 20), (180, 20)], 2), outline([(0, 185), (180, 185)], 2)),
    "wall of the next cell": outline([(172, 0), (172, 200)], 3),
}


@pytest.mark.parametrize("name", OUTLINES)
@pytest.mark.parametrize("digit", range(10))
def test_box_around_a_drawing_changes_nothing_but_the_report(name: str, digit: int) -> None:
    plain = normalize(to_gray_levels(255 - 245 * digit_canvas(digit)))
    boxed = normalize(to_gray_levels(255 - 245 * np.clip(digit_canvas(digit) + OUTLINES[name], 0, 1)))
    readings = (boxed, *boxed.alternatives)
    inside = next(reading for reading in readings if BOX in reading.report.warnings)
    assert np.abs(inside.pixels.astype(int) - plain.pixels).max() <= 3
    assert inside.report.box == plain.report.box
    assert inside is boxed or name == "wall of the next cell"


@pytest.mark.parametrize("name", ["thin", "thick", "gray", "tilted", "broken", "cells beside it"])
def test_box_in_a_photo_is_removed(name: str) -> None:
    for digit in (0, 4, 8):
        plain = normalize(photograph(digit_canvas(digit), seed=digit, noise=3.0))
        boxed = normalize(photograph(np.clip(digit_canvas(digit) + OUTLINES[name], 0, 1), seed=digit, noise=3.0))
        assert BOX in boxed.report.warnings
        assert np.abs(boxed.pixels.astype(int) - plain.pixels).mean() < 8


def test_light_box_on_a_dark_board_and_a_box_in_floats_are_removed() -> None:
    canvas = np.clip(digit_canvas(3) + OUTLINES["thin"], 0, 1)
    for picture in (to_gray_levels(20 + 220 * canvas), to_gray_levels(255 - 245 * canvas).astype(np.float32)):
        assert BOX in normalize(picture).report.warnings


def test_box_that_a_stroke_touches_is_removed() -> None:
    canvas = np.maximum(digit_canvas(7), outline(box(25, 20, 155, 155), 2))  # the foot of the 7 stands on the line
    touching, plain = (normalize(to_gray_levels(255 - 245 * drawn)).report for drawn in (canvas, digit_canvas(7)))
    assert BOX in touching.warnings
    assert np.abs(np.subtract(touching.box or 0, plain.box or 0)).max() <= 5


@pytest.mark.parametrize("side", [56, 3464])
def test_box_is_removed_from_pictures_of_any_size(side: int) -> None:
    canvas = put(draw_strokes(2, side // 2, side * 0.05), (side, side), (side // 4, side // 3))
    margin = side // 12
    canvas[margin : side - margin, [margin, side - margin]] = 1
    canvas[[margin, side - margin], margin : side - margin] = 1
    picture = to_gray_levels(255 - 245 * canvas)
    report = normalize(picture).report
    assert BOX in report.warnings
    assert report.box is not None
    assert report.box[0] == pytest.approx(side // 3, abs=side * 0.06)
    assert report.box[1] == pytest.approx(side // 4, abs=side * 0.02)


def test_box_inside_a_page_and_bars_is_removed() -> None:
    picture = to_gray_levels(255 - 245 * np.clip(digit_canvas(5) + OUTLINES["thin"], 0, 1))
    picture = np.pad(picture, ((0, 0), (70, 40)), constant_values=30)
    normalized = normalize(np.pad(picture, ((50, 60), (0, 0))))
    plain = normalize(to_gray_levels(255 - 245 * digit_canvas(5)))
    np.testing.assert_array_equal(normalized.pixels, plain.pixels)
    assert normalized.report.warnings == ("a border around the picture was removed", BOX)


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("pen", [0.05, 0.12, 0.25])
def test_digit_is_no_box(digit: int, pen: float) -> None:
    for height in (40, 200):
        strokes = draw_strokes(digit, height, pen * height)
        cropped = strokes[np.ix_(strokes.any(axis=1), strokes.any(axis=0))]
        for canvas in (cropped, np.pad(cropped, 9)):
            assert find_cell(to_gray_levels(255 * canvas)) is None
            assert find_cell(photograph(canvas, seed=2)) is None


def test_zero_with_a_dot_is_no_box() -> None:
    picture: Gray = to_gray_levels(255 * digit_canvas(0))
    picture[95:104, 86:95] = 255
    assert find_cell(picture) is None


def test_empty_box_is_no_box_of_a_digit() -> None:
    assert find_cell(to_gray_levels(255 * OUTLINES["thin"])) is None
    assert find_cell(np.full((60, 60), 7, np.uint8)) is None


def test_several_digits_in_boxes_are_refused() -> None:
    canvas = np.clip(digit_canvas(4) + OUTLINES["thin"], 0, 1)
    with pytest.raises(NoDigitError, match="digits"):
        normalize(to_gray_levels(255 - 245 * np.hstack([canvas, canvas])))


@pytest.mark.parametrize("shape", [(1, 90), (90, 2), (3, 400), (29, 29)])
def test_narrow_pictures_have_no_box(shape: tuple[int, int]) -> None:
    assert find_cell(np.random.default_rng(1).integers(0, 256, shape, np.uint8)) is None
