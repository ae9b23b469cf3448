"""Numbers as the network that ships reads them, from pictures to text."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.errors import NoDigitError, SeveralDigitsError
from inkling.network.classifier import Classifier
from inkling.numbers import Numbers, read_page
from inkling.vision.normalize import normalize
from inkling.vision.numbers.layout import find_page
from inkling.vision.numbers.page import MAX_DIGITS
from tests.support.numbers import on_gray_paper, stack_lines, strokes_of, write

Read = Callable[[Gray], Numbers]


@pytest.fixture
def read(classifier: Classifier) -> Read:
    def read(picture: Gray) -> Numbers:
        return read_page(classifier.read, find_page(picture))

    return read


@pytest.mark.parametrize("gap", [3, 12, 40])
@pytest.mark.parametrize("height", [16, 40, 90])
@pytest.mark.parametrize("text", ["2026", "47", "05", "1234567890"])
def test_separate_digits_are_read(read: Read, text: str, height: int, gap: int) -> None:
    picture = write(text, height, gap)
    assert read(picture).text == text
    assert read(255 - picture).text == text


@pytest.mark.parametrize("text", ["2026", "31", "8450"])
def test_digits_on_gray_paper_are_read(read: Read, text: str) -> None:
    assert read(on_gray_paper(write(text))).text == text


@pytest.mark.parametrize("is_photo", [False, True])
def test_digits_on_ruled_paper_are_read(read: Read, is_photo: bool) -> None:
    page = np.pad(write("2026", height=48), 40)
    ruled = np.zeros_like(page)
    ruled[13::40] = ruled[14::40] = 130
    page = np.maximum(page, ruled)
    numbers = read(on_gray_paper(page) if is_photo else 255 - page)
    assert numbers.text == "2026"
    assert "ruled lines were removed" in numbers.warnings


def test_digits_on_a_single_line_are_read(read: Read) -> None:
    page = 255 - np.pad(write("2026", height=48), 20)
    page[page.shape[0] // 2 :][:3] = np.minimum(page[page.shape[0] // 2 :][:3], 150)
    assert read(page).text == "2026"


def test_baselines_may_be_uneven(read: Read) -> None:
    assert read(write("20263", baselines=(0, 8, -9, 4))).text == "20263"


def test_line_may_slope_by_more_than_its_height(read: Read) -> None:
    assert read(write("2026354", height=20, baselines=(-18, -12, -6, 0, 6, 12, 18))).text == "2026354"


def test_lines_are_read_from_top_to_bottom(read: Read) -> None:
    numbers = read(stack_lines([write("120"), write("2026"), write("7")]))
    assert numbers.text == "120\n2026\n7"
    assert [len(line.digits) for line in numbers.lines] == [3, 4, 1]
    tops = [line.box[1] for line in numbers.lines]
    assert tops == sorted(tops)


@pytest.mark.parametrize("text", ["3.14", "-7", "-20.5", "0.25", "4-2"])
def test_decimal_points_and_minus_signs_are_read(read: Read, text: str) -> None:
    numbers = read(write(text))
    assert numbers.text == text
    (line,) = numbers.lines
    assert [mark.mark for mark in line.marks] == [character for character in text if character in ".-"]


def test_dust_is_no_mark(read: Read) -> None:
    picture = write("2026", height=60)
    picture[100, 20:22] = 255  # thinner than the pen
    picture[40:44, 300:304] = 255  # at the top of the digits
    picture[170:175, 150:155] = 255  # below the line
    picture[118:122, -20:-16] = 60  # faint
    assert read(picture).text == "2026"


def test_wide_gap_is_a_space(read: Read) -> None:
    assert read(write("12 34")).text == "12 34"


def test_boxes_are_in_the_pixels_of_a_large_picture(read: Read) -> None:
    line = write("26", height=40)
    picture = np.zeros((3000, 2500), np.uint8)
    large = np.kron(line, np.ones((6, 6), np.uint8))
    picture[1000 : 1000 + large.shape[0], 300 : 300 + large.shape[1]] = large
    numbers = read(picture)
    assert numbers.text == "26"
    left, top, right, bottom = numbers.lines[0].box
    rows, columns = np.nonzero(picture)
    expected = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert np.abs(np.subtract((left, top, right, bottom), expected)).max() <= 12
    assert all(digit.image.shape == (28, 28) for digit in numbers.lines[0].digits)


def test_number_in_a_screenshot_with_bars_is_read(read: Read) -> None:
    number = 255 - write("2026", height=60)
    picture = np.pad(np.pad(number, 20, constant_values=255), ((200, 200), (0, 0)))
    numbers = read(picture)
    assert numbers.text == "2026"
    assert numbers.warnings
    left, top, right, bottom = numbers.lines[0].box
    rows, columns = np.nonzero(number < 128)
    expected = columns.min() + 20, rows.min() + 220, columns.max() + 21, rows.max() + 221
    assert np.abs(np.subtract((left, top, right, bottom), expected)).max() <= 3


def test_touching_digits_are_divided_and_flagged(read: Read) -> None:
    numbers = read(write("33", height=40, gap=-2))
    (line,) = numbers.lines
    assert numbers.text == "33"
    assert all("touches another digit" in digit.warnings[0] for digit in line.digits)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((60, 90), 7, np.uint8), "is blank: its gray levels go from 7 to 7"),
        (np.pad(np.full((2, 2), 255, np.uint8), 20), "no digit"),
    ],
)
def test_picture_without_digits_is_refused(picture: Gray, words: str) -> None:
    with pytest.raises(NoDigitError, match=words):
        find_page(picture)


@pytest.mark.parametrize("dust", [False, True])
@pytest.mark.parametrize("height", [28, 80, 400])
def test_one_that_fills_its_picture_is_read(read: Read, height: int, dust: bool) -> None:
    one = np.zeros((height, height // 2), np.uint8)
    middle, pen = height // 4, height // 12
    one[:, middle : middle + pen] = 255
    one[::20, 1] = 255 * dust
    assert read(one).text == "1"
    assert read(255 - one).text == "1"


@pytest.mark.parametrize("text", ["17", "41", "111"])
def test_number_that_fills_its_picture_is_read(read: Read, text: str) -> None:
    digits = [np.pad(strokes_of(int(digit), 60), ((0, 0), (0, 12))) for digit in text]
    assert read(np.hstack(digits)[:, :-12]).text == text


def odd_pictures() -> Iterator[Gray]:
    """Yield pictures of dust, lines, blobs, noise, gradients and single rows, in light and dark, of odd sizes."""
    rng = np.random.default_rng(1)
    for i in range(105):
        height, width = np.exp(rng.uniform(0, np.log(120), 2)).astype(int)
        background, stroke = rng.permutation([0, 128, 136, 255])[:2]
        kind = i % 7
        picture = np.full((height, width), background, np.uint8)
        if kind in (0, 1):  # one pixel, or a few
            picture[rng.integers(height, size=1 + 30 * kind), rng.integers(width, size=1 + 30 * kind)] = stroke
        if kind in (2, 3):  # lines
            picture[:, rng.integers(width, size=3)] = stroke
        if kind in (3, 4):
            picture[rng.integers(height, size=3)] = stroke
        if kind == 5:  # a blob, up to the whole picture
            picture[rng.integers(height) :, rng.integers(width) :][: rng.integers(1, 200)] = stroke
        if kind == 6:
            picture = np.where(rng.random((height, width)) < rng.random(), stroke, background).astype(np.uint8)
        if i % 2:
            noise = rng.normal(0, 9, picture.shape)
            picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        yield picture


def test_odd_pictures_are_read_or_refused(read: Read) -> None:
    for picture in odd_pictures():
        try:
            numbers = read(picture)
        except NoDigitError:
            continue
        height, width = picture.shape
        for digit in (digit for line in numbers.lines for digit in line.digits):
            left, top, right, bottom = digit.box
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height


def test_more_digits_than_the_limit_are_refused() -> None:
    line = np.tile(write("1", height=16, gap=4), 20)
    picture = np.tile(line, (14, 1))
    with pytest.raises(NoDigitError, match=f"280 groups of strokes, more than {MAX_DIGITS} digits"):
        find_page(picture)


@pytest.mark.parametrize("gap", [8, 12])
def test_one_digit_is_no_number(gap: int) -> None:
    with pytest.raises(SeveralDigitsError, match="at least 2 digits"):
        normalize(write("20", gap=gap))


def test_frame_around_a_number_is_no_digit(read: Read) -> None:
    number = 255 - np.pad(write("20263", height=48), 20)
    number[8:12, 8:-8] = number[-12:-8, 8:-8] = 0
    number[8:-8, 8:12] = number[8:-8, -12:-8] = 0
    assert read(number).text == "20263"


def test_alternative_answers_where_the_network_is_surer_of_it(classifier: Classifier) -> None:
    right, wrong = find_page(write("2026")), find_page(write("4747")[::-1])
    assert read_page(classifier.read, replace(wrong, alternatives=(right,))).text == "2026"
    assert read_page(classifier.read, replace(right, alternatives=(wrong,))).text == "2026"


@pytest.mark.parametrize("digit", "0479")
def test_digit_in_two_parts_is_joined(read: Read, digit: str) -> None:
    broken = write(digit, height=60)
    columns = np.flatnonzero(broken.any(axis=0))
    middle = (columns[0] + columns[-1]) // 2
    broken[:, middle - 1 : middle + 1] = 0
    assert read(np.hstack([write("26", height=60, gap=20)[:, :-40], broken])).text == "26" + digit


def test_ones_close_to_a_digit_are_not_joined(read: Read) -> None:
    assert read(write("4111", height=60, gap=5)).text == "4111"


def test_slanted_digits_that_touch_are_divided_along_a_seam(read: Read) -> None:
    pair = write("47", height=60, gap=-3)
    rows = len(pair)
    slanted = np.stack([np.roll(row, (rows - y) // 3) for y, row in enumerate(np.pad(pair, ((0, 0), (0, rows))))])
    assert read(slanted).text == "47"


def test_number_whose_digits_all_touch_is_no_line_of_the_paper(read: Read) -> None:
    numbers = read(write("20263345", height=40, gap=-2))
    assert len(numbers.text) == 8
    assert all(digit.warnings for line in numbers.lines for digit in line.digits)


def test_uneven_baselines_stay_in_the_line(read: Read) -> None:
    assert read(write("2026", height=40, baselines=(0, 18, -6, 12))).text == "2026"


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65])
@pytest.mark.parametrize("digit", "258")
def test_digit_with_a_gap_across_is_one_digit(read: Read, digit: str, share: float) -> None:
    broken = write(digit, height=60)
    row = 60 + round(60 * share)
    broken[row : row + 3] = 0
    assert read(np.hstack([write("26", height=60, gap=20)[:, :-40], broken])).text == "26" + digit


def test_wide_digits_are_not_divided(read: Read) -> None:
    wide = np.repeat(write("2525", height=40, gap=30), 2, axis=1)
    assert read(wide).text == "2525"


def test_fragment_beside_a_digit_is_no_mark(read: Read) -> None:
    picture = write("26", height=60, gap=20)
    rows, columns = np.nonzero(picture)
    left = columns[rows == 90].min()
    picture[88:93, left - 16 : left - 2] = 255  # a stroke that nearly reaches the digit
    assert "-" not in read(picture).text


def test_faint_digit_in_fragments_is_read(read: Read) -> None:
    strong, faint = write("26", height=60, gap=20), write("3", height=60) * 0.2
    faint[::9] *= 2.2
    picture = np.hstack([strong, faint.astype(np.uint8)])
    assert read(picture).text == "263"
