import numpy as np
import pytest

from inkling.errors import NoDigitError
from inkling.vision.filled_rectangle import inside_rectangle, is_filled_rectangle
from inkling.vision.normalize import normalize
from tests.support.digits import make_digits
from tests.support.pictures import draw_strokes, put, to_gray_levels

BORDER = "a border around the picture was removed"


def blurred(levels: np.ndarray, radius: int) -> np.ndarray:
    """Return the picture (h, w) blurred twice by a window of 2 radius + 1."""
    window = np.ones(2 * radius + 1) / (2 * radius + 1)
    for _ in range(2):
        levels = np.apply_along_axis(np.convolve, 0, np.pad(levels, radius, mode="edge"), window, "valid")
        levels = np.apply_along_axis(np.convolve, 1, levels, window, "valid")
    return levels


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("page", [40, 130])
def test_digit_in_a_picture_with_soft_sides_is_read(digit: int, page: int) -> None:
    strokes = put(draw_strokes(digit, 112, 12.0), (360, 340), (124, 125))
    paper = blurred(put(np.ones((180, 160)), strokes.shape, (90, 90)), 9)
    read = normalize(to_gray_levels(page + (245 - 230 * strokes - page) * paper))
    rows, columns = np.nonzero(strokes)
    assert read.report.warnings[0] == BORDER
    assert read.report.box is not None
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract(read.report.box, expected)).max() <= 2


def test_filled_rectangle_without_strokes_shows_no_digit() -> None:
    page = np.zeros((200, 200))
    page[60:140, 50:110] = 220
    with pytest.raises(NoDigitError):
        normalize(to_gray_levels(blurred(page, 6)))


def test_digits_are_no_filled_rectangles() -> None:
    digits, _ = make_digits(50, seed=1)
    thick = [normalize(to_gray_levels(255 * draw_strokes(digit, 112, 24.0))).pixels for digit in range(10)]
    assert not any(map(is_filled_rectangle, [*digits, *thick]))


def test_rectangle_of_few_pixels_has_no_inside() -> None:
    page = np.zeros((40, 40), np.uint8)
    page[10:26, 10:26] = 200
    assert inside_rectangle(page, (10, 10, 26, 26)) is None
