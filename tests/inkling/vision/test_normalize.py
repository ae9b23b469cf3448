from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inkling import mnist
from inkling.digit import Gray
from inkling.errors import NoDigitError, SeveralDigitsError
from inkling.network.classifier import Classifier
from inkling.vision.normalize import PAIR_WARNING, normalize
from inkling.vision.placement import looks_like_mnist, place_in_frame
from inkling.vision.segmentation import check_single
from tests.support.digits import make_digits
from tests.support.numbers import strokes_of

DIGITS, LABELS = make_digits(20, seed=3)


def cropped(image: Gray) -> Gray:
    rows, columns = np.nonzero(image)
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def enlarged(image: Gray, factor: int) -> Gray:
    size = image.shape[1] * factor, image.shape[0] * factor
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def on_paper(strokes: Gray, seed: int, grain: float = 8) -> Gray:
    """Return a photo of dark strokes on gray paper that is lit from one side."""
    height, width = strokes.shape
    light = np.linspace(120, 220, width) * np.ones((height, 1))
    noise = np.random.default_rng(seed).normal(0, grain, strokes.shape)
    return np.clip(light * (1 - 0.7 * strokes / 255) + noise, 0, 255).astype(np.uint8)


def beside(images: list[Gray], gap: int) -> Gray:
    height = max(image.shape[0] for image in images)
    parts = [np.pad(image, ((0, height - image.shape[0]), (0, gap))) for image in images]
    return np.pad(np.hstack(parts), 6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_picture_that_looks_like_mnist_is_untouched(dtype: type) -> None:
    for digit in DIGITS[[0, 1, 7]]:
        stretched = (digit * (255 / digit.max())).round().astype(dtype)
        normalized = normalize(stretched)
        report = normalized.report
        if report.is_untouched:
            np.testing.assert_array_equal(normalized.pixels, stretched)
            assert (report.box, report.inverted, report.background_removed, report.warnings) == (None, False, False, ())
        assert normalized.pixels.dtype == np.uint8


def test_report_has_polarity_and_box() -> None:
    picture = np.full((300, 200), 255, np.uint8)
    picture[100:180, 50:90] = 255 - enlarged(np.pad(cropped(DIGITS[7]), 1), 4)[:80, :40]
    rows, columns = np.nonzero(picture < 255)
    report = normalize(picture).report
    assert report.inverted
    assert not report.is_untouched
    assert not report.background_removed
    assert report.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_digits_on_grainy_lit_paper_are_found_and_read(classifier: Classifier) -> None:
    plain = classifier.probabilities(np.stack([normalize(digit).pixels for digit in DIGITS])).argmax(axis=1)
    papers = [on_paper(np.pad(enlarged(digit, 5), ((20, 90), (100, 10))), seed) for seed, digit in enumerate(DIGITS)]
    normalized = [normalize(paper) for paper in papers]
    for digit, item in zip(DIGITS, normalized, strict=True):
        assert item.report.inverted
        assert item.report.background_removed
        rows, columns = np.nonzero(digit > 64)
        box = (columns.min() * 5 + 100, rows.min() * 5 + 20, columns.max() * 5 + 105, rows.max() * 5 + 25)
        np.testing.assert_allclose(np.array(item.report.box), box, atol=8)
    digits = classifier.probabilities(np.stack([item.pixels for item in normalized])).argmax(axis=1)
    assert (digits == plain).mean() >= 0.8


@pytest.mark.parametrize("width", [1, 2, 5])
def test_inverted_stripes_are_removed(width: int) -> None:
    for digit in DIGITS:
        striped = digit.copy()
        for left in range(7, 24, 8):
            striped[:, left : left + width] = 255 - striped[:, left : left + width]
        normalized = normalize(striped)
        assert "stripes were removed" in normalized.report.warnings
        assert np.abs(normalized.pixels.astype(int) - digit).mean() < 20


def test_ruled_lines_and_frames_are_removed() -> None:
    for digit in DIGITS:
        ruled = digit.copy()
        ruled[4::7] = np.maximum(ruled[4::7], 130)
        ruled[:1] = ruled[-1:] = 220
        ruled[:, :1] = ruled[:, -1:] = 220
        assert np.abs(normalize(ruled).pixels.astype(int) - digit).mean() < 20


def test_digit_crossed_by_a_line_is_not_moved() -> None:
    crossed = DIGITS[3].copy()
    crossed[np.arange(28), np.arange(28)] = 255
    normalized = normalize(crossed)
    np.testing.assert_allclose(normalized.pixels, crossed * (255 / crossed.max()), atol=1)
    assert any("crosses the picture" in warning for warning in normalized.report.warnings)


def test_noisy_digit_is_not_moved() -> None:
    for seed, digit in enumerate(DIGITS):
        noisy = np.clip(digit + np.random.default_rng(seed).normal(0, 30, digit.shape), 0, 255).astype(np.uint8)
        shifted = [np.roll(digit, shift, axis).astype(int) for shift in (-2, 2) for axis in (0, 1)]
        pixels = normalize(noisy).pixels.astype(int)
        assert np.abs(pixels - digit).mean() < min(np.abs(pixels - other).mean() for other in shifted)


def test_dust_is_dropped_and_a_stroke_nearby_kept() -> None:
    picture = np.zeros((400, 400), np.uint8)
    picture[150:250, 200:220] = 255
    picture[120:130, 200:220] = 255
    box = normalize(picture).report.box
    assert box == (200, 120, 220, 250)
    picture[10:14, 10:14] = 255
    assert normalize(picture).report.box == box


def test_small_and_faint_digit_gets_warnings() -> None:
    picture = np.zeros((40, 40), np.uint8)
    picture[10:18, 12:14] = 20
    small, faint = normalize(picture).report.warnings
    assert "only 2x8 pixels" in small
    assert "contrast is 20 of 255" in faint


# no single digit


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (28, 28), (400, 30)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_picture_is_refused(shape: tuple[int, int], level: int) -> None:
    with pytest.raises(NoDigitError, match=rf"blank: its gray levels go from {level} to {level}, .* at least 8"):
        normalize(np.full(shape, level, np.uint8))


@pytest.mark.parametrize("side", [28, 140, 600])
@pytest.mark.parametrize("grain", [2, 10, 60])
def test_grainy_paper_without_strokes_is_refused(side: int, grain: float) -> None:
    for seed in range(5):
        with pytest.raises(NoDigitError, match="shows no"):
            normalize(on_paper(np.zeros((side, side), np.uint8), seed, grain))


@pytest.mark.parametrize("side", [28, 200, 2000])
def test_pure_noise_is_refused(side: int) -> None:
    random = np.random.default_rng(side)
    with pytest.raises(NoDigitError, match="shows no"):
        normalize(random.integers(0, 256, (side, side), np.uint8))
    with pytest.raises(NoDigitError, match="the picture shows no"):
        normalize(random.integers(0, 2, (side, side), np.uint8) * np.uint8(255))


def test_checkerboard_of_36_million_pixels_is_refused() -> None:
    row = np.arange(6000, dtype=np.uint8)
    with pytest.raises(NoDigitError, match="the picture shows no digit: its contrast is 0 of 255"):
        normalize((row[:, np.newaxis] + row) % 2 * np.uint8(255))


@pytest.mark.parametrize("shape", [(80, 80), (60, 40), (50, 90)])
def test_solid_area_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(NoDigitError, match="a solid area"):
        normalize(np.pad(np.full(shape, 255, np.uint8), 10))


def test_speck_is_refused_with_its_size() -> None:
    with pytest.raises(NoDigitError, match="its strokes cover 2x3 pixels, at least 5 are needed"):
        normalize(np.pad(np.full((3, 2), 255, np.uint8), 30))


def test_dash_is_refused_with_its_size() -> None:
    with pytest.raises(NoDigitError, match=r"100x10 pixels, more than 2\.5 times as wide"):
        normalize(np.pad(np.full((10, 100), 255, np.uint8), 30))


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("gap", [3, 8])
@pytest.mark.parametrize("is_on_paper", [False, True])
def test_several_digits_are_refused(count: int, gap: int, is_on_paper: bool) -> None:
    for first in range(10):
        row = enlarged(beside([cropped(DIGITS[(first + i) % 20]) for i in range(count)], gap), 4)
        with pytest.raises(NoDigitError, match=r"at least \d digits|more than 2\.5 times|specks or strokes"):
            normalize(on_paper(row, first) if is_on_paper else row)


@pytest.mark.parametrize("side", [28, 56, 90])
@pytest.mark.parametrize("pair", [(2, 0), (1, 1), (7, 5), (4, 3), (8, 6)])
@pytest.mark.parametrize("levels", ["plain", "inverted", "gray"])
def test_two_digits_in_a_small_picture_are_refused(side: int, pair: tuple[int, int], levels: str) -> None:
    height = side * 3 // 7
    digits = [strokes_of(digit, height) for digit in pair]
    gap = max(1, side // 28)
    width = sum(digit.shape[1] for digit in digits) + gap
    picture = np.zeros((side, side), np.uint8)
    left, top = (side - width) // 2, (side - height) // 2
    for digit in digits:
        picture[top : top + height, left : left + digit.shape[1]] = digit
        left += digit.shape[1] + gap
    if levels != "plain":
        picture = 255 - picture if levels == "inverted" else (200 - picture * 0.6).astype(np.uint8)
    with pytest.raises(SeveralDigitsError, match="expected one; crop it to one digit"):
        normalize(picture)


def test_two_digits_placed_as_one_are_warned_of() -> None:
    digits = [np.asarray(Image.fromarray(strokes_of(digit, 14)).resize((9, 14))) for digit in (2, 6)]
    placed = place_in_frame(np.hstack([digits[0], np.zeros((14, 2), np.uint8), digits[1]]))
    assert looks_like_mnist(placed)
    assert normalize(placed).report.warnings == (PAIR_WARNING,)


@pytest.mark.mnist
def test_no_training_digit_is_taken_for_two(real_mnist_dir: Path) -> None:
    for image in mnist.read_folder(real_mnist_dir).train.images[::10]:
        check_single(image > 0)


def test_grid_of_digits_is_refused() -> None:
    grid = np.vstack([beside([cropped(digit) for digit in DIGITS[i : i + 4]], 5)[:36, :80] for i in (0, 4)])
    with pytest.raises(NoDigitError, match="expected one; crop it"):
        normalize(enlarged(grid, 3))


# any picture


@settings(database=None, deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    block=st.integers(1, 12),
    levels=st.sampled_from([2, 3, 17, 256]),
    dtype=st.sampled_from([np.uint8, np.float32]),
)
def test_any_picture_is_normalized_or_refused(  # noqa: PLR0917  as Hypothesis gives them
    seed: int, height: int, width: int, block: int, levels: int, dtype: type
) -> None:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, levels, (-(-height // block), -(-width // block))) * (255 / (levels - 1))
    gray: NDArray[Any] = np.kron(coarse, np.ones((block, block)))[:height, :width].astype(dtype)
    try:
        normalized = normalize(gray)
    except NoDigitError as error:
        assert str(error).startswith("the picture ")  # noqa: PT017  either is right
        return
    assert normalized.pixels.shape == (28, 28)
    assert normalized.pixels.dtype == np.uint8
    left, top, right, bottom = normalized.report.box or (0, 0, 1, 1)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 3000), (700, 5), (260, 257)])
def test_extreme_shapes_are_normalized_or_refused(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    for _ in range(10):
        gray = np.clip(random.normal(200, 5, shape), 0, 255)
        top, left = (int(random.integers(0, side)) for side in shape)
        gray[top : top + int(random.integers(1, 200)), left : left + int(random.integers(1, 50))] = 30
        try:
            assert normalize(gray.astype(np.uint8)).pixels.shape == (28, 28)
        except NoDigitError as error:
            assert str(error)  # noqa: PT017  either is right
