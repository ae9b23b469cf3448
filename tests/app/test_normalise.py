from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.classifier import Classifier
from app.errors import ImageError, NoDigitError
from app.normalise import normalise, normalise_all
from app.pictures import decode_picture
from app.report.changes import CHANGES, changed
from app.report.files import FILES, kept
from app.report.readings import fit, read, read_fitted
from training import dataset
from training.dataset import Split

Bytes = NDArray[np.uint8]


def cropped(image: Bytes) -> Bytes:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def placed(digit: Bytes, height: int, width: int, random: np.random.Generator) -> Bytes:
    """Return the digit somewhere on a black ground (height, width)."""
    canvas = np.zeros((height, width), np.uint8)
    top = random.integers(0, height - digit.shape[0] + 1)
    left = random.integers(0, width - digit.shape[1] + 1)
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return canvas


def written(text: str, size: int = 60, canvas: tuple[int, int] = (300, 120)) -> Bytes:
    image = Image.new("L", canvas, 255)
    ImageDraw.Draw(image).text((20, 20), text, fill=0, font=ImageFont.load_default(size=size))
    return np.asarray(image)


def enlarged(image: Bytes, factor: int) -> Bytes:
    height, width = image.shape
    return np.asarray(Image.fromarray(image).resize((width * factor, height * factor)))


# what comes out


def test_image_that_looks_like_mnist_is_left_alone() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:16] = 255
    image[9, 12] = 3  # faint, and nobody's to clean away
    normalised = normalise(image)
    np.testing.assert_array_equal(normalised.pixels, image)
    assert normalised.report.is_untouched
    assert normalised.report.box is None


def test_drawing_is_placed_as_mnist_places_its_digits(digits: Bytes) -> None:
    for digit in digits:
        picture = np.pad(255 - enlarged(digit, 7), ((5, 300), (200, 3)), constant_values=255)
        normalised = normalise(picture)
        rows, columns = np.flatnonzero(normalised.pixels.any(axis=1)), np.flatnonzero(normalised.pixels.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        mass = normalised.pixels.astype(float)
        centre = [(mass.sum(axis=1 - axis) @ np.arange(28)) / mass.sum() for axis in (0, 1)]
        assert all(13.5 <= place <= 14.5 for place in centre)
        assert normalised.pixels.max() >= 254
        assert normalised.report.inverted
        assert not normalised.report.is_untouched


def test_report_tells_the_box_of_the_ink() -> None:
    picture = np.full((120, 200), 255, np.uint8)
    picture[30:90, 50:60] = 0
    report = normalise(picture).report
    assert report.box == (50, 30, 60, 90)
    assert report.inverted


def test_photograph_says_that_its_background_was_removed(digits: Bytes) -> None:
    random = np.random.default_rng(0)
    ink = np.pad(enlarged(digits[4], 4), 30) / 255
    paper = np.linspace(120, 220, ink.shape[1]) * (1 - 0.6 * ink) + random.normal(0, 6, ink.shape)
    report = normalise(np.clip(paper, 0, 255).astype(np.uint8)).report
    assert report.background_removed
    assert report.inverted


def test_floats_are_taken_as_bytes_are(digits: Bytes) -> None:
    picture = np.pad(enlarged(digits[6], 5), 20)
    np.testing.assert_array_equal(normalise(picture.astype(np.float32)).pixels, normalise(picture).pixels)


# what is refused


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (3, 500), (300, 200)])
def test_blank_picture_is_refused(level: int, shape: tuple[int, int]) -> None:
    with pytest.raises(NoDigitError, match=r"the picture is blank: its grey levels go from \d+ to \d+"):
        normalise(np.full(shape, level, np.uint8))


@pytest.mark.parametrize("shape", [(28, 28), (200, 300)])
def test_faint_noise_is_refused(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    with pytest.raises(NoDigitError):
        normalise(np.clip(random.normal(180, 10, shape), 0, 255).astype(np.uint8))


def test_noise_is_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(NoDigitError):
        normalise(random.integers(0, 256, (200, 200), np.uint8))


def test_picture_of_nothing_but_ink_is_refused() -> None:
    with pytest.raises(NoDigitError, match="ink"):
        normalise(np.pad(np.full((80, 80), 255, np.uint8), 8))


@pytest.mark.parametrize("text", ["42", "007", "3 1 4 1 5", "hello"])
def test_several_characters_are_refused(text: str) -> None:
    with pytest.raises(NoDigitError, match="one digit"):
        normalise(written(text))


def test_error_names_the_position_of_the_picture(digits: Bytes) -> None:
    with pytest.raises(NoDigitError, match=r"^image 2: the picture is blank"):
        normalise_all([digits[0], np.zeros((40, 40), np.uint8)])


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 80), st.integers(1, 80), st.integers(0, 2**32 - 1), st.sampled_from(["any", "bits", "few", "blocks"])
)
def test_any_picture_gives_a_digit_or_says_why_not(height: int, width: int, seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height, width), np.uint8)
    if kind == "bits":
        picture = np.where(picture > 200, np.uint8(255), np.uint8(0))
    if kind == "few":
        picture = np.minimum(picture, random.integers(1, 255)).astype(np.uint8)
    if kind == "blocks":
        picture = np.kron(random.integers(0, 2, (3, 3)).astype(np.uint8) * 200, np.ones_like(picture))
    try:
        normalised = normalise(picture)
    except ImageError:
        pass  # the tests above hold it to its words
    else:
        assert normalised.pixels.shape == (28, 28)
        assert normalised.pixels.dtype == np.uint8
        if normalised.report.box:
            left, top, right, bottom = normalised.report.box
            assert 0 <= left < right <= picture.shape[1]
            assert 0 <= top < bottom <= picture.shape[0]


@pytest.mark.parametrize("shape", [(1, 2000), (2000, 1), (2, 1500), (1500, 3)])
def test_slivers_are_refused_in_words(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError):
        normalise(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


# the real digits


@cache
def read_test(folder: Path) -> Split:
    return dataset.read_folder(folder).test


@pytest.fixture
def mnist(real_mnist_dir: Path) -> Split:
    return read_test(real_mnist_dir)


@pytest.mark.mnist
def test_untouched_test_images_stay_what_they_are(mnist: Split) -> None:
    fitted = fit(mnist.images)
    changed_images = (fitted.images != mnist.images).any(axis=(1, 2))
    assert not fitted.is_refused.any()
    assert changed_images.sum() <= 5


@pytest.mark.mnist
@pytest.mark.parametrize("ground", ["its own box", "28x28", "large", "wide", "tall"])
def test_replaced_digit_comes_back_bit_for_bit(mnist: Split, ground: str) -> None:
    random = np.random.default_rng(0)
    sizes = {"28x28": (28, 28), "large": (500, 500), "wide": (64, 700), "tall": (300, 33)}
    images = mnist.images[:2000]
    boxes = [cropped(image) for image in images]
    pictures = [placed(box, *sizes.get(ground, box.shape), random) for box in boxes]
    fitted = fit(pictures)
    same = (fitted.images == images).all(axis=(1, 2))
    assert same.mean() >= 0.999, np.flatnonzero(~same)


@pytest.mark.mnist
@pytest.mark.parametrize("name", FILES)
def test_digit_stays_right_in_any_file(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[:200]
    is_right = read(classifier, some.images).digits == some.labels
    pictures = (decode_picture(file, 100_000) for file in kept(name, some.images))
    still = read_fitted(classifier, fit(pictures)).digits == some.labels
    assert (is_right & still).sum() >= 0.975 * is_right.sum()


@pytest.mark.mnist
@pytest.mark.parametrize("name", CHANGES)
def test_changed_digits_are_mostly_read(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[5000:5200]
    readings = read_fitted(classifier, fit(changed(name, some.images)))
    assert readings.right(some.labels) >= 0.8 * len(some)
