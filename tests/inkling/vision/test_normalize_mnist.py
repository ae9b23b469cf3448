"""`fit=mnist` on the real test images: what it gives back, and what the shipped network still reads."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from inkling.errors import NoDigitError
from inkling.mnist import Split, read_folder
from inkling.model_card.corruptions import CORRUPTIONS, corrupted
from inkling.model_card.file_variants import FILE_VARIANTS, file_variants
from inkling.model_card.predictions import normalize_or_refuse, predict_normalized, predict_strict
from inkling.network.classifier import Classifier
from inkling.vision.image_files import decode_picture
from inkling.vision.normalize import normalize

pytestmark = pytest.mark.mnist


def cropped(image: Gray) -> Gray:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def enlarged(image: Gray, factor: int) -> Gray:
    size = image.shape[1] * factor, image.shape[0] * factor
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def normalized_or_blank(gray: Gray) -> Gray:
    try:
        return normalize(gray).pixels
    except NoDigitError:
        return np.zeros((28, 28), np.uint8)


@cache
def read_test(folder: Path) -> Split:
    return read_folder(folder).test


@pytest.fixture
def mnist(real_mnist_dir: Path) -> Split:
    return read_test(real_mnist_dir)


@pytest.mark.parametrize("name", FILE_VARIANTS)
def test_digit_stays_right_in_any_file(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[:100]
    is_right = predict_strict(classifier, some.images).digits == some.labels
    pictures = (decode_picture(file, 100_000) for file in file_variants(name, some.images))
    still = predict_normalized(classifier, normalize_or_refuse(pictures)).digits == some.labels
    assert (is_right & still).sum() >= 0.975 * is_right.sum()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_changed_digits_are_mostly_read(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[5000:5100]
    predictions = predict_normalized(classifier, normalize_or_refuse(corrupted(name, some.images)))
    assert predictions.correct(some.labels) >= 0.8 * len(some)


def test_every_test_image_passes_untouched(mnist: Split) -> None:
    ambiguous = 0
    for image in mnist.images:
        normalized = normalize(image)
        ambiguous += bool(normalized.alternatives)
        assert normalized.report.is_untouched
        np.testing.assert_array_equal(normalized.pixels, image)
    assert ambiguous <= 1  # with lines of one pixel, as of a hollow digit


@pytest.mark.parametrize("is_inverted", [False, True])
def test_cropped_digit_anywhere_on_any_canvas_becomes_the_original_again(mnist: Split, is_inverted: bool) -> None:
    images = mnist.images[:2000]
    random = np.random.default_rng(1)
    wrong = 0
    for i, image in enumerate(images):
        digit = cropped(image)
        sides = [(20, 20), (21, 40), (28, 28), (20, 120), (300, 200), (500, 700)][i % 6]
        canvas = np.zeros(sides, np.uint8)
        top, left = (int(random.integers(0, room + 1)) for room in np.subtract(canvas.shape, digit.shape))
        canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
        wrong += not np.array_equal(normalized_or_blank(255 - canvas if is_inverted else canvas), image)
    assert wrong <= 2


@pytest.mark.parametrize("factor", [2, 10])
def test_enlarged_digit_is_not_refused(mnist: Split, factor: int) -> None:
    pictures = (enlarged(image, factor) for image in mnist.images[: 4000 // factor])
    assert sum(not normalized_or_blank(picture).any() for picture in pictures) <= 2


def test_two_digits_side_by_side_are_refused(mnist: Split) -> None:
    random = np.random.default_rng(2)
    read = 0
    for left, right in mnist.images[:600].reshape(300, 2, 28, 28):
        height = max(cropped(left).shape[0], cropped(right).shape[0])
        parts: list[Any] = [cropped(left), np.zeros((height, int(random.integers(3, 10))), np.uint8), cropped(right)]
        pair = np.hstack([np.pad(part, ((height - part.shape[0], 0), (0, 0))) for part in parts])
        picture = Image.fromarray(np.pad(pair, 5)).resize(
            (pair.shape[1] * 4, pair.shape[0] * 4), Image.Resampling.BICUBIC
        )
        read += bool(normalized_or_blank(np.asarray(picture)).any())
    assert read <= 15
