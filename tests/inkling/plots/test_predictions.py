import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.plots.predictions import MARGIN, TILE, plot_predictions


def captions(count: int) -> list[str]:
    return [f"Model prediction: {i}" for i in range(count)]


def test_digit_is_dark_on_white_and_every_pixel_a_square(digits: NDArray[np.uint8]) -> None:
    picture = np.asarray(plot_predictions(digits[:1], captions(1)))
    tile = picture[MARGIN : MARGIN + TILE, MARGIN : MARGIN + TILE]
    np.testing.assert_array_equal(tile, np.kron(255 - digits[0], np.ones((6, 6), np.uint8)))


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 5, 1), (6, 5, 2), (20, 5, 4)])
def test_pictures_are_set_in_rows_of_five(digits: NDArray[np.uint8], count: int, columns: int, rows: int) -> None:
    one = plot_predictions(digits[:1], captions(1))
    picture = plot_predictions(digits[:count], captions(count))
    width, height = one.width - MARGIN, one.height - MARGIN
    assert picture.size == (MARGIN + columns * width, MARGIN + rows * height)
    assert picture.mode == "L"


def test_every_digit_has_its_caption_below(digits: NDArray[np.uint8]) -> None:
    blank = np.zeros((6, 28, 28), np.uint8)
    with_captions = np.asarray(plot_predictions(blank, captions(6)))
    without = np.asarray(plot_predictions(blank, [""] * 6))
    changed = np.argwhere((with_captions != without).any(axis=1)).ravel()
    assert (np.diff(changed) > TILE).sum() == 1  # two bands of text, a row of digits apart
    assert changed[0] > MARGIN + TILE


def test_as_many_captions_as_images_are_needed(digits: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="zip"):
        plot_predictions(digits[:2], captions(1))
