from itertools import pairwise

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.errors import NoDigitError
from inkling.vision.normalize import normalize
from inkling.vision.page_borders import find_inner_picture
from tests.support.digits import make_digits
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels

BORDER = "a border around the picture was removed"
BOX = "a printed box was removed"


def drawing(digit: int, height: int = 112, pen: float = 9.0, paper: int = 255) -> Gray:
    """Return dark strokes on a plain background, a quarter larger than the digit."""
    canvas = put(draw_strokes(digit, height, pen), (height * 5 // 4, height * 5 // 4), (height // 8, height // 5))
    return to_gray_levels(paper - canvas * (paper - 10))


def bordered(gray: Gray, widths: tuple[int, int, int, int], level: int) -> Gray:
    """Return the picture with borders above, below, to the left and to the right."""
    above, below, left, right = widths
    return np.pad(gray, ((above, below), (left, right)), constant_values=level)


@pytest.mark.parametrize("widths", [(60, 60, 0, 0), (0, 0, 33, 90), (40, 0, 0, 0), (70, 20, 50, 110), (2, 2, 2, 2)])
@pytest.mark.parametrize("level", [0, 30, 120])
def test_borders_of_one_level_change_nothing_but_the_report(widths: tuple[int, int, int, int], level: int) -> None:
    for digit in range(10):
        plain = normalize(drawing(digit))
        inside = normalize(bordered(drawing(digit), widths, level))
        np.testing.assert_array_equal(inside.pixels, plain.pixels)
        assert plain.report.box is not None
        x, y = widths[2], widths[0]
        left, top, right, bottom = plain.report.box
        assert inside.report.box == (left + x, top + y, right + x, bottom + y)
        assert inside.report.warnings == ((BOX,) if max(widths) == 2 else (BORDER,))
        assert inside.alternatives == ()


def test_light_page_around_a_gray_photo_is_removed() -> None:
    photo = photograph(put(draw_strokes(2, 112, 9.0), (160, 160), (24, 30)), seed=3)
    plain, inside = normalize(photo), normalize(bordered(photo, (60, 70, 80, 10), 255))
    assert np.abs(inside.pixels.astype(int) - plain.pixels).mean() < 4
    assert inside.report.warnings == (BORDER,)


def test_borders_one_inside_the_other_are_removed() -> None:
    picture = drawing(5)
    for width, level in ((6, 0), (50, 60), (3, 250), (40, 128)):
        picture = bordered(picture, (width, width, width, width), level)
    inside = normalize(bordered(picture, (0, 90, 0, 0), 0))
    np.testing.assert_array_equal(inside.pixels, normalize(drawing(5)).pixels)
    assert inside.report.warnings == (BORDER, BOX)


def test_soft_edge_and_shadow_belong_to_the_border() -> None:
    picture = drawing(3)
    for level in (250, 240, 200, 150, 80):  # darker outwards
        picture = bordered(picture, (1, 1, 1, 1), level)
    inside = normalize(bordered(picture, (50, 50, 50, 50), 40))
    np.testing.assert_array_equal(inside.pixels, normalize(drawing(3)).pixels)


def test_digit_of_the_border_s_level_that_fills_its_picture_is_read() -> None:
    for digit in (2, 5, 8, 9):
        strokes = draw_strokes(digit, 112, 16.0)
        tight = to_gray_levels(240 - 240 * put(strokes, (118, 96), (3, 3)))
        inside = normalize(bordered(tight, (0, 0, 50, 60), 0))
        assert inside.report.warnings == (BORDER,)
        assert inside.report.box is not None
        assert inside.report.box[1::2] == (3, 115)


def test_picture_of_nearly_the_border_s_level_is_found() -> None:
    plain = normalize(drawing(7, paper=246))
    inside = normalize(bordered(drawing(7, paper=246), (70, 60, 0, 0), 251))
    np.testing.assert_array_equal(inside.pixels, plain.pixels)
    assert inside.report.warnings == (BORDER,)


def test_picture_with_rounded_corners_leaves_nothing_of_the_page() -> None:
    picture = drawing(6, height=200)
    y, x = (np.minimum(np.arange(side), np.arange(side)[::-1]) for side in picture.shape)
    y = y[:, np.newaxis]
    is_outside = (y < 16) & (x < 16) & (np.hypot(16 - y, 16 - x) > 16)
    picture[is_outside] = 90
    inside = normalize(bordered(picture, (80, 60, 70, 90), 90))
    np.testing.assert_array_equal(inside.pixels, normalize(drawing(6, height=200)).pixels)


def test_bar_of_the_picture_s_level_does_not_hide_it() -> None:
    picture = bordered(drawing(3, paper=226), (90, 110, 0, 0), 250)
    picture[:20] = 226  # a title bar
    inside = normalize(picture)
    np.testing.assert_array_equal(inside.pixels, normalize(drawing(3, paper=226)).pixels)


def test_paper_that_darkens_toward_an_edge_is_no_border() -> None:
    canvas = put(draw_strokes(1, 112, 12.0), (160, 130), (24, 20))
    light = 240 - 0.004 * np.arange(130.0) ** 2  # darker to the right, ever faster
    assert find_inner_picture(to_gray_levels(light * (1 - 0.7 * canvas))) is None


def test_screenshot_loses_its_bars_and_text() -> None:
    picture = bordered(drawing(4), (120, 180, 20, 30), 24)
    picture[:14] = 70  # a title bar
    for y in (20, 34, 80, 262, 275, 330):
        picture[y : y + 6, 8:150:5] = 220
        picture[y : y + 4, 10:140:7] = 180
    picture[260:263, 60:90] = 220  # touches the picture
    inside = normalize(picture)
    np.testing.assert_array_equal(inside.pixels, normalize(drawing(4)).pixels)


def test_soft_edges_may_be_wide() -> None:
    blurred = drawing(3, height=200, paper=230)
    soft = np.pad(blurred, 12, mode="linear_ramp", end_values=20)
    inside = normalize(bordered(soft, (90, 80, 60, 70), 20))
    np.testing.assert_array_equal(inside.pixels, normalize(blurred).pixels)
    assert inside.report.warnings == (BORDER,)


def test_noise_on_a_dark_page_does_not_cross_the_picture() -> None:
    random = np.random.default_rng(4)
    lit = drawing(7, height=400) * np.linspace(0.75, 1, 500)
    page = np.pad(lit, 300, constant_values=20) + random.normal(0, 4, (1100, 1100))
    assert normalize(to_gray_levels(page)).report.warnings[0] == BORDER
    assert all(reading.report.warnings[0] == BORDER for reading in normalize(to_gray_levels(page)).alternatives)


def test_doubtful_border_inside_a_page_does_not_make_the_page_doubtful() -> None:
    strokes = draw_strokes(5, 112, 16.0)
    tight = bordered(to_gray_levels(240 - 240 * put(strokes, (118, 96), (3, 3))), (0, 0, 50, 60), 0)
    plain, inside = normalize(tight), normalize(bordered(tight, (40, 30, 20, 50), 128))
    np.testing.assert_array_equal(inside.pixels, plain.pixels)
    assert len(inside.alternatives) == len(plain.alternatives)
    assert inside.report.warnings == (BORDER,)


def test_digit_beside_a_panel_of_text_is_read() -> None:
    page = np.zeros((300, 200))
    page[190:] = 30
    page[20:132, 50:139] = 220 * draw_strokes(3, 112, 12.0)
    for x in range(20, 180, 40):
        page[220:250, x : x + 24] = np.maximum(30, 220 * draw_strokes(4, 30, 4.0))
    assert find_inner_picture(to_gray_levels(page)) is not None
    box = normalize(to_gray_levels(page)).report.box
    assert box is not None
    assert box[3] <= 140


def test_picture_of_mnist_inside_a_page_stays_as_it_is() -> None:
    digits, _ = make_digits(5, seed=3)
    for digit in digits:
        stretched = (digit * (255 / digit.max())).round().astype(np.uint8)
        inside = normalize(bordered(stretched, (40, 30, 20, 10), 255))
        np.testing.assert_array_equal(inside.pixels, normalize(stretched).pixels)
        rows, columns = np.nonzero(inside.pixels)
        assert not inside.report.is_untouched
        assert inside.report.box is not None
        assert inside.report.box[2] - inside.report.box[0] == np.ptp(columns) + 1
        assert inside.report.box[3] - inside.report.box[1] == np.ptp(rows) + 1


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("height", [40, 112, 300])
@pytest.mark.parametrize("pen", [0.06, 0.2])
def test_digit_is_no_picture(digit: int, height: int, pen: float) -> None:
    strokes = draw_strokes(digit, height, pen * height)
    cropped = strokes[np.ix_(strokes.any(axis=1), strokes.any(axis=0))]
    for canvas in (cropped, np.pad(cropped, 7), np.pad(cropped, ((0, 20), (20, 0)))):
        for picture in (to_gray_levels(255 * canvas), to_gray_levels(200 - 150 * canvas), photograph(canvas, seed=1)):
            assert find_inner_picture(picture) is None


@pytest.mark.parametrize("digit", "0689")
def test_digit_of_straight_strokes_is_no_picture(digit: str) -> None:
    segments = {"0": "abcdef", "6": "acdefg", "8": "abcdefg", "9": "abcdfg"}[digit]
    places = {
        "a": np.s_[20:32, 20:90], "b": np.s_[20:90, 78:90], "c": np.s_[78:148, 78:90], "d": np.s_[136:148, 20:90],
        "e": np.s_[78:148, 20:32], "f": np.s_[20:90, 20:32], "g": np.s_[78:90, 20:90],
    }  # fmt: skip
    picture = np.full((168, 110), 255, np.uint8)
    for segment in segments:
        picture[places[segment]] = 0
    assert normalize(picture).report.box == (20, 20, 90, 148)


def test_bar_of_a_seven_cropped_to_its_box_is_no_border() -> None:
    picture = np.full((140, 100), 255, np.uint8)
    picture[:16] = 0
    for y in range(16, 140):
        x = 84 - (y - 16) // 2
        picture[y, x : x + 16] = 0
    normalized = normalize(picture)
    assert normalized.report.box == (0, 0, 100, 140)
    assert normalized.report.warnings == ()


def test_picture_that_is_blank_inside_its_border_shows_no_digit() -> None:
    with pytest.raises(NoDigitError):
        normalize(np.pad(np.full((60, 60), 255, np.uint8), 20))


def test_large_picture_has_its_thin_frame_removed() -> None:
    large = np.kron(drawing(6), np.ones((14, 14), np.uint8))  # 1,960 pixels
    framed = bordered(large, (3, 3, 3, 3), 0)
    inside, plain = normalize(framed), normalize(large)
    np.testing.assert_array_equal(inside.pixels, plain.pixels)
    assert BOX in inside.report.warnings


@pytest.mark.parametrize(("width", "tolerance"), [(4, 0), (3, 8)])
def test_picture_that_is_reduced_has_its_thin_frame_removed(width: int, tolerance: int) -> None:
    """Of 2,800 pixels; where half of a reduced pixel is frame, the digit lies on another grid."""
    large = np.kron(drawing(6), np.ones((20, 20), np.uint8))
    framed = bordered(large, (width,) * 4, 0)
    inside, plain = normalize(framed), normalize(large)
    np.testing.assert_allclose(inside.pixels.astype(int), plain.pixels.astype(int), rtol=0, atol=tolerance)
    assert BOX in inside.report.warnings
    assert inside.report.box is not None
    assert plain.report.box is not None
    np.testing.assert_allclose(inside.report.box, np.add(plain.report.box, width), rtol=0, atol=2)


def test_nested_borders_end() -> None:
    picture = drawing(1)
    for level, _ in pairwise(range(0, 200, 10)):
        picture = bordered(picture, (3, 3, 3, 3), level if level % 20 else 255 - level)
    assert normalize(picture).pixels.shape == (28, 28)
