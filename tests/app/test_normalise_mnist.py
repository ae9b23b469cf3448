"""`fit=mnist` on the real test images: what it gives back, and what the shipped network still reads."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.classifier import Classifier
from app.pictures import decode_picture
from app.report.changes import CHANGES, changed
from app.report.files import FILES, kept
from app.report.readings import fit, read, read_fitted
from training import dataset
from training.dataset import Split

pytestmark = pytest.mark.mnist

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


@cache
def read_test(folder: Path) -> Split:
    return dataset.read_folder(folder).test


@pytest.fixture
def mnist(real_mnist_dir: Path) -> Split:
    return read_test(real_mnist_dir)


def test_untouched_test_images_stay_what_they_are(mnist: Split) -> None:
    fitted = fit(mnist.images)
    changed_images = (fitted.images != mnist.images).any(axis=(1, 2))
    assert not fitted.is_refused.any()
    assert changed_images.sum() <= 5


@pytest.mark.parametrize("ground", ["its own box", "28x28", "large", "wide", "tall"])
def test_replaced_digit_comes_back_bit_for_bit(mnist: Split, ground: str) -> None:
    random = np.random.default_rng(0)
    sizes = {"28x28": (28, 28), "large": (500, 500), "wide": (64, 700), "tall": (300, 33)}
    images = mnist.images[: 300 if ground == "large" else 1000]
    boxes = [cropped(image) for image in images]
    pictures = [placed(box, *sizes.get(ground, box.shape), random) for box in boxes]
    fitted = fit(pictures)
    same = (fitted.images == images).all(axis=(1, 2))
    assert same.mean() >= 0.999, np.flatnonzero(~same)


@pytest.mark.parametrize("name", FILES)
def test_digit_stays_right_in_any_file(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[:100]
    is_right = read(classifier, some.images).digits == some.labels
    pictures = (decode_picture(file, 100_000) for file in kept(name, some.images))
    still = read_fitted(classifier, fit(pictures)).digits == some.labels
    assert (is_right & still).sum() >= 0.975 * is_right.sum()


@pytest.mark.parametrize("name", CHANGES)
def test_changed_digits_are_mostly_read(classifier: Classifier, mnist: Split, name: str) -> None:
    some = mnist[5000:5100]
    readings = read_fitted(classifier, fit(changed(name, some.images)))
    assert readings.right(some.labels) >= 0.8 * len(some)
