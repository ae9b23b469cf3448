import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Gray
from inkling.network.attribution import Explanation, explain
from inkling.network.classifier import Classifier
from inkling.plots.attribution import BAR, COLORS, DIGIT_GRAY, MARGIN, TILE, caption, draw_heat_map

SURE_OF_7 = np.eye(10, dtype=np.float32)[7]


def draw(image: Gray, contributions: NDArray[np.float64], probabilities: NDArray[np.float32] = SURE_OF_7) -> Gray:
    """Return the picture's pixels (height, width, 3)."""
    picture = draw_heat_map(image, Explanation(7, 1.0, 0.0, contributions), probabilities)
    assert (picture.mode, picture.width > picture.height) == ("RGB", True)
    return np.asarray(picture)


def tile(pixels: Gray) -> Gray:
    return pixels[MARGIN : MARGIN + TILE, MARGIN : MARGIN + TILE]


def color_of(pixels: Gray, row: int, column: int) -> list[int]:
    """Return the color at the center of an enlarged pixel."""
    side = TILE // 28
    color: list[int] = tile(pixels)[row * side + side // 2, column * side + side // 2].tolist()
    return color


@pytest.fixture
def contributions() -> NDArray[np.float64]:
    """Contributions (28, 28), four of them not 0: the maximum and half of it, for and against."""
    contributions = np.zeros((28, 28))
    contributions[5, 6:10] = [0.8, 0.4, -0.4, -0.8]
    return contributions


def test_contributions_for_the_digit_are_red_and_against_it_blue(contributions: NDArray[np.float64]) -> None:
    pixels = draw(np.zeros((28, 28), np.uint8), contributions)
    blue, pale_blue, white, pale_red, red = (list(color) for color in COLORS)
    assert [color_of(pixels, 5, column) for column in range(6, 11)] == [red, pale_red, pale_blue, blue, white]
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]


def test_digit_that_contributes_nothing_is_gray(digits: Gray) -> None:
    pixels = tile(draw(digits[7], np.zeros((28, 28))))
    expected = np.rint(255 - DIGIT_GRAY * digits[7].astype(np.float64)).astype(np.uint8)
    side = TILE // 28
    for channel in range(3):
        np.testing.assert_array_equal(pixels[..., channel], np.kron(expected, np.ones((side, side), np.uint8)))


def test_every_pixel_is_a_square(classifier: Classifier, digits: Gray) -> None:
    pixels = tile(np.asarray(draw_heat_map(digits[4], explain(classifier, digits[4], 4), SURE_OF_7)))
    side = TILE // 28
    small = pixels[::side, ::side]
    np.testing.assert_array_equal(pixels, np.kron(small, np.ones((side, side, 1), np.uint8)))
    assert (small[digits[4] == 0] == 255).all()


def test_colors_of_the_bar_are_those_of_the_contributions(contributions: NDArray[np.float64]) -> None:
    left = MARGIN + TILE + MARGIN
    bar = draw(np.zeros((28, 28), np.uint8), contributions)[MARGIN : MARGIN + TILE, left : left + BAR]
    assert bar[0, 0].tolist() == list(COLORS[-1])
    assert bar[-1, 0].tolist() == list(COLORS[0])
    assert (bar[TILE // 2] >= 254).all()
    assert (bar == bar[:, :1]).all()


def test_legend_names_the_largest_contribution(contributions: NDArray[np.float64]) -> None:
    blank = np.zeros((28, 28), np.uint8)
    legend = slice(MARGIN + TILE + MARGIN + BAR, None)
    one, ten_times = draw(blank, contributions), draw(blank, 10 * contributions)
    assert (one[:, legend] != ten_times[:, legend]).any()
    np.testing.assert_array_equal(tile(one), tile(ten_times))


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e300])
def test_contributions_of_any_size_are_drawn_within_the_picture(
    contributions: NDArray[np.float64], scale: float
) -> None:
    pixels = draw(np.zeros((28, 28), np.uint8), scale * contributions)
    assert (pixels[:, -1] == 255).all()


def test_caption_names_the_digit_explained_and_the_digit_read() -> None:
    probabilities = np.full(10, 0.001, np.float32)
    probabilities[7] = 0.991
    assert caption(7, probabilities) == "why 7 (0.991)"
    assert caption(9, probabilities) == "why 9 (0.001), read as 7 (0.991)"


def test_caption_is_below_the_digit(contributions: NDArray[np.float64]) -> None:
    blank = np.zeros((28, 28), np.uint8)
    sure, unsure = draw(blank, contributions), draw(blank, contributions, SURE_OF_7 / 2)
    changed = np.argwhere((sure != unsure).any(axis=(1, 2))).ravel()
    assert MARGIN + TILE < changed.min() <= changed.max() < len(sure) - 1


def test_same_explanation_is_the_same_picture(classifier: Classifier, digits: Gray) -> None:
    def drawn() -> Image.Image:
        return draw_heat_map(digits[3], explain(classifier, digits[3], 8), SURE_OF_7)

    assert drawn().tobytes() == drawn().tobytes()
