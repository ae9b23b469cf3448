import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.digit import Gray
from inkling.network.classifier import Classifier
from inkling.readings import read_each
from inkling.vision.normalize import normalize
from inkling.vision.ruled_lines import remove_ruled_lines
from tests.support.pictures import draw_strokes, put, to_gray_levels

LINES = "ruled lines were removed"
Floats64 = NDArray[np.float64]


def lines(shape: tuple[int, int], pitch: float, slope: float, width: float = 2.0, first: float = 5.0) -> Floats64:
    """Return lines (h, w), 0 to 1, from left to right, that fall by `slope`."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    place = y - slope * x - first
    return np.clip(width / 2 + 0.5 - np.abs(place - pitch * np.rint(place / pitch)), 0, 1)


def paper(digit: int, strength: float, ruling: Floats64, noise: float = 3.0, height: int = 130) -> Gray:
    strokes = put(draw_strokes(digit, height, height / 10), ruling.shape, (50, 60))
    drawn = np.maximum(strokes, strength * ruling) * 0.75
    return to_gray_levels(230 * (1 - drawn) + np.random.default_rng(digit).normal(0, noise, strokes.shape))


def rulings(shape: tuple[int, int], slope: float) -> dict[str, Floats64]:
    across = lines(shape, 31, slope)
    upright = lines(shape[::-1], 31, -slope).T
    return {
        "ruled": across,
        "squared": np.maximum(across, upright),
        "margin": np.maximum(across, lines(shape[::-1], 1e6, -slope, first=30).T),
    }


@pytest.mark.parametrize("noise", [0.0, 4.0])
@pytest.mark.parametrize("slope", [0.0, 0.03, -0.08])
@pytest.mark.parametrize("name", ["ruled", "squared", "margin"])
def test_digits_on_lined_paper_are_read(classifier: Classifier, name: str, slope: float, noise: float) -> None:
    for strength in (0.5, 0.8):
        pictures = [paper(digit, strength, rulings((250, 240), slope)[name], noise) for digit in range(10)]
        chosen = read_each(classifier.read, [normalize(picture) for picture in pictures])
        assert (chosen.outputs.probabilities.argmax(axis=1) == np.arange(10)).sum() >= 9
        assert all(LINES in reading.report.warnings for reading in chosen.readings)


def test_small_digit_on_a_large_ruled_sheet_is_read(classifier: Classifier) -> None:
    sheet = lines((700, 900), 38, 0.02)
    chosen = read_each(classifier.read, [normalize(paper(d, 0.6, sheet, height=110)) for d in range(10)])
    assert (chosen.outputs.probabilities.argmax(axis=1) == np.arange(10)).sum() >= 9


def test_ink_stays_where_it_crosses_lines() -> None:
    strokes = put(draw_strokes(8, 130, 12.0), (250, 240), (50, 60))
    ruling = rulings((250, 240), 0.04)["squared"]
    drawn = (200 * np.maximum(strokes, 0.6 * ruling)).astype(np.float32)
    unruled = remove_ruled_lines(drawn)
    assert unruled is not None
    assert unruled.is_sure
    assert np.abs(unruled.strokes[(ruling > 0.9) & (strokes == 1)] - 200).mean() < 10
    assert unruled.strokes[(ruling > 0.9) & (strokes == 0)].mean() < 10
    np.testing.assert_allclose(unruled.strokes[(ruling == 0) & (strokes == 0)], 0, atol=120)


@pytest.mark.parametrize("slope", [0.0, 0.0234, -0.018, -0.05])
@pytest.mark.parametrize("first", [24, 34])
def test_two_tilted_lines_of_a_wide_picture_are_removed_to_their_ends(slope: float, first: int) -> None:
    y, x = np.mgrid[:86, :279]
    ruling = (y - slope * x - first) % 42 < 2
    digits = sum(
        put(draw_strokes(digit, 44, 4.5), ruling.shape, (22, 66 * i + 20)) for i, digit in enumerate((2, 9, 3))
    )
    unruled = remove_ruled_lines((220 * np.maximum(digits, 0.7 * ruling)).astype(np.float32))
    assert unruled is not None
    assert unruled.strokes[ruling & (digits == 0)].mean() < 10


@pytest.mark.parametrize("digit", [1, 4, 7])
def test_long_strokes_are_no_lines(digit: int) -> None:
    tight = np.pad(draw_strokes(digit, 200, 14.0), 8).astype(np.float32) * 200
    assert remove_ruled_lines(tight) is None


def test_single_line_is_doubtful_so_both_readings_are_made() -> None:
    normalized = normalize(paper(2, 0.5, lines((250, 240), 1e6, 0.0, first=120)))
    assert normalized.report.warnings == (LINES,)
    assert any(LINES not in reading.report.warnings for reading in normalized.alternatives)


def test_picture_that_is_mostly_lines_is_left_alone() -> None:
    assert remove_ruled_lines(lines((100, 100), 4, 0.0, width=1.0).astype(np.float32) * 200) is None
    assert remove_ruled_lines(lines((30, 100), 10, 0.0).astype(np.float32) * 200) is None


def test_margin_line_beside_a_digit_on_uniform_paper_is_removed(classifier: Classifier) -> None:
    margin = lines((240, 250), 1e6, 0.0, first=20).T
    chosen = read_each(classifier.read, [normalize(paper(digit, 0.6, margin, noise=0)) for digit in range(10)])
    assert (chosen.outputs.probabilities.argmax(axis=1) == np.arange(10)).sum() >= 9


def test_straight_digit_from_edge_to_edge_is_no_line() -> None:
    one = np.pad(draw_strokes(1, 300, 12.0), ((0, 0), (20, 20)))
    assert not normalize(to_gray_levels(255 * one)).report.warnings


@pytest.mark.parametrize("digit", range(10))
def test_small_digit_on_a_large_squared_sheet_is_found(digit: int) -> None:
    sheet = np.zeros((900, 700))
    sheet[15::47] = sheet[:, 22::47] = 0.3
    sheet = np.maximum(sheet, put(draw_strokes(digit, 44, 4.0), sheet.shape, (420, 300)))
    noise = np.random.default_rng(digit).normal(0, 2.5, sheet.shape)
    box = normalize(to_gray_levels(215 - 160 * sheet + noise)).report.box
    assert box is not None
    rows, columns = np.nonzero(draw_strokes(digit, 44, 4.0))
    expected = (300 + columns.min(), 420 + rows.min(), 301 + columns.max(), 421 + rows.max())
    assert np.abs(np.subtract(box, expected)).max() <= 8  # it may end with a line that it crosses


def test_empty_square_of_squared_paper_does_not_hide_the_digit() -> None:
    sheet = np.zeros((900, 700))
    sheet[60::180] = sheet[:, 20::180] = 0.4
    sheet = np.maximum(sheet, put(draw_strokes(7, 110, 16.0), sheet.shape, (260, 330)))
    noise = np.random.default_rng(1).normal(0, 5, sheet.shape)
    readings = normalize(to_gray_levels(180 - 150 * sheet + noise))
    box = readings.report.box
    assert box is not None
    assert 320 <= box[0] <= box[2] <= 440
