import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.digit import Gray
from inkling.network.classifier import Classifier
from inkling.readings import read_each
from inkling.vision.foreground import subtract_uniform_background
from inkling.vision.normalize import normalize
from inkling.vision.paper import foregrounds_on_paper
from inkling.vision.photo import DOTS_REMOVED
from inkling.vision.plateaus import has_plateau
from inkling.vision.pooling import close
from tests.support.pictures import draw_strokes, put, to_gray_levels

SHADOW = "a shadow was removed"
Y, X = np.mgrid[:240, :200] / np.array([240, 200]).reshape(2, 1, 1)
LIGHTS = {
    "hard": np.where(X + 0.4 * Y > 0.75, 0.4, 1.0),
    "curved": np.where(X + Y**2 > 0.8, 0.5, 1.0),
    "phone": np.where((abs(X - 0.7) < 0.28) & (abs(Y - 0.4) < 0.3), 0.5, 1.0),
    "padded": np.where((X > 0.1) & (X < 0.9) & (Y > 0.15), 0.6, 1.1),
    "fold": np.where(X < 0.45, 0.65 + 0.5 * X, 1.0),
}


def photo(digit: int, light: NDArray[np.float64], seed: int = 0) -> Gray:
    strokes = put(draw_strokes(digit, 120, 11.0), (240, 200), (60, 50))
    noise = np.random.default_rng([seed, digit]).normal(0, 3, strokes.shape)
    return to_gray_levels(220 * light * (1 - 0.7 * strokes) + noise)


@pytest.mark.parametrize("name", LIGHTS)
def test_digits_under_shadows_are_read(classifier: Classifier, name: str) -> None:
    plain = read_each(classifier.read, [normalize(photo(digit, np.ones_like(X))) for digit in range(10)])
    chosen = read_each(classifier.read, [normalize(photo(digit, LIGHTS[name])) for digit in range(10)])
    assert (chosen.outputs.probabilities.argmax(axis=1) == plain.outputs.probabilities.argmax(axis=1)).mean() >= 0.9
    assert all(reading.report.inverted for reading in chosen.readings)
    if name not in {"fold", "padded"}:  # a fold may be faint; white around a sheet is a border
        assert all(SHADOW in reading.report.warnings for reading in chosen.readings)


@pytest.mark.parametrize("white", [255, 270])
def test_overexposed_paper_is_read(classifier: Classifier, white: int) -> None:
    strokes = put(draw_strokes(7, 600, 55.0), (1200, 1000), (300, 250))
    noise = np.random.default_rng(white).normal(0, 10, strokes.shape)
    overexposed = normalize(to_gray_levels(white - 180 * strokes + noise))  # cut off at 255
    assert read_each(classifier.read, [overexposed]).outputs.probabilities.argmax() == 7


def test_light_strokes_under_a_shadow_are_read(classifier: Classifier) -> None:
    strokes = put(draw_strokes(7, 120, 11.0), (240, 200), (60, 50))
    board = to_gray_levels((140 * strokes + 40) + 60 * (LIGHTS["hard"] == 1))
    normalized = normalize(board)
    assert not normalized.report.inverted
    assert read_each(classifier.read, [normalized]).outputs.probabilities.argmax() == 7


def test_evenly_lit_paper_has_one_foreground_and_no_warning() -> None:
    (found,) = foregrounds_on_paper(photo(3, 0.7 + 0.3 * X).astype(np.float32))
    assert not found.removed
    assert not normalize(photo(3, 0.7 + 0.3 * X)).report.warnings


@pytest.mark.parametrize("window", [3, 8, 25])
def test_closing_is_the_smallest_of_the_largest_neighbors(window: int) -> None:
    gray = np.random.default_rng(window).uniform(0, 255, (30, 41)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(gray, window, mode="edge"), (window, window))
    largest = windows.max(axis=(2, 3))
    smallest = np.lib.stride_tricks.sliding_window_view(largest, (window, window)).min(axis=(2, 3))
    np.testing.assert_array_equal(close(gray, window), smallest[1 : 1 + 30, 1 : 1 + 41])
    assert (close(gray, window) >= gray).all()


def test_corners_of_a_shadow_are_no_strokes() -> None:
    shadow = np.where(X + 2 * np.abs(Y - 0.3) < 0.8, 0.65, 1.0)  # its corner is cut off by the window
    strokes = put(draw_strokes(3, 90, 9.0), (240, 200), (140, 120))
    noise = np.random.default_rng(0).normal(0, 3, strokes.shape)
    for found in foregrounds_on_paper((220 * shadow * (1 - 0.8 * strokes) + noise).astype(np.float32)):
        assert SHADOW in found.removed
        assert found.mask[strokes == 0].mean() < 0.001
        assert found.mask[strokes == 1].mean() > 0.9


@pytest.mark.parametrize(
    "light",
    [
        np.where((X > 0.75) & (Y > 0.8), 0.6, 1.0),
        np.where(X + Y < 0.5, 0.5, 1.0),
        np.where(np.abs(X - 0.5 * Y - 0.15) < 0.13, 0.6, 1.0),
    ],
    ids=["corner", "triangle", "strip"],
)
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_small_shadows_are_no_strokes(classifier: Classifier, light: NDArray[np.float64], noise: float) -> None:
    strokes = np.stack([put(draw_strokes(digit, 120, 9.0), (240, 200), (60, 50)) for digit in range(10)])
    grain = np.random.default_rng(0).normal(0, noise, strokes.shape)
    pictures = [normalize(to_gray_levels(levels)) for levels in 220 * light * (1 - 0.8 * strokes) + grain]
    assert read_each(classifier.read, pictures).outputs.probabilities.argmax(axis=1).tolist() == list(range(10))


@pytest.mark.parametrize("scale", [5, 10])
def test_enlarged_digits_have_no_plateaus(digits: Gray, scale: int) -> None:
    for image in digits[:200]:
        drawing = subtract_uniform_background(image.repeat(scale, axis=0).repeat(scale, axis=1))
        assert drawing is not None
        assert not has_plateau(drawing.levels, drawing.contrast)


@pytest.mark.parametrize("is_grid", [True, False])
def test_dots_of_paper_are_named_and_specks_are_not(is_grid: bool) -> None:
    random = np.random.default_rng(0)
    places = [(y, x) for y in range(10, 230, 22) for x in range(10, 190, 22)]
    if not is_grid:
        places = [(int(random.integers(4, 232)), int(random.integers(4, 192))) for _ in places[:24]]
    dots = np.zeros((240, 200))
    for y, x in places:
        dots[y : y + 3, x : x + 3] = 0.7
    strokes = np.maximum(put(draw_strokes(3, 120, 11.0), (240, 200), (60, 50)), dots)
    normalized = normalize(to_gray_levels(220 * (1 - 0.8 * strokes) + random.normal(0, 3, dots.shape)))
    assert (DOTS_REMOVED in normalized.report.warnings) == is_grid
