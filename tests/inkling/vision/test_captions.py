import numpy as np
import pytest

from inkling.digit import Gray
from inkling.errors import SeveralDigitsError
from inkling.vision.captions import CAPTIONS_LEFT_OUT
from inkling.vision.normalize import normalize
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels


def screen(*digits: int, height: int = 112) -> np.ndarray:
    """Return strokes (h, w), 0 to 1, on one paper: a clock, a battery, a title, digits in a row, a caption, buttons."""
    canvas = np.zeros((480, 110 * len(digits) + 130))
    for number, digit in enumerate(digits):
        canvas = np.maximum(canvas, put(draw_strokes(digit, height, 10.0), canvas.shape, (170, 65 + 110 * number)))
    for y, size, word in ((10, 12, 1234), (40, 16, 357246), (330, 12, 41273521), (350, 12, 731475)):
        for place, letter in enumerate(str(word)):
            glyph = draw_strokes(int(letter), size, 2.0)
            canvas = np.maximum(canvas, put(glyph, canvas.shape, (y, 12 + place * size)))
    canvas[12:20, -30:-12] = 1
    for x in range(20, canvas.shape[1] - 20, 60):
        canvas[450:466, x : x + 16] = 1
    return canvas


def alone(digit: int) -> Gray:
    return normalize(to_gray_levels(255 - 245 * put(draw_strokes(digit, 112, 10.0), (200, 200), (40, 50)))).pixels


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("is_dark", [False, True])
def test_text_and_icons_beside_a_digit_are_left_out(digit: int, is_dark: bool) -> None:
    levels = 245 * screen(digit)
    read = normalize(to_gray_levels(10 + levels if is_dark else 255 - levels))
    assert np.abs(read.pixels.astype(int) - alone(digit)).max() <= 1  # 10 + 245 x and 255 - 245 x round differently
    assert CAPTIONS_LEFT_OUT in read.report.warnings


@pytest.mark.parametrize("digit", range(10))
def test_text_in_a_photo_is_left_out(digit: int) -> None:
    photo = photograph(screen(digit), seed=digit, noise=3.0)
    read, without_text = normalize(photo), normalize(photo[130:322, 30:190])
    assert np.abs(read.pixels.astype(int) - without_text.pixels).mean() < 1  # the same light, but less of its paper
    assert CAPTIONS_LEFT_OUT in read.report.warnings


@pytest.mark.parametrize("second", range(10))
def test_two_digits_with_text_are_refused(second: int) -> None:
    with pytest.raises(SeveralDigitsError):
        normalize(to_gray_levels(255 - 245 * screen(4, second)))


def test_two_digits_of_different_sizes_are_refused() -> None:
    canvas = np.zeros((200, 300))
    for digit, height, corner in ((4, 112, (40, 30)), (2, 70, (82, 180))):
        canvas = np.maximum(canvas, put(draw_strokes(digit, height, 10.0), canvas.shape, corner))
    with pytest.raises(SeveralDigitsError):
        normalize(to_gray_levels(255 - 245 * canvas))


def test_drawing_without_text_has_no_other_reading() -> None:
    assert (
        normalize(to_gray_levels(255 - 245 * put(draw_strokes(5, 112, 10.0), (200, 200), (40, 50)))).alternatives == ()
    )
