"""Results of `normalize` and of the shipped network that no change of the code may alter: recorded with release 0.1."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Gray
from inkling.errors import NoDigitError
from inkling.network.classifier import Classifier
from inkling.vision.normalization import Normalized
from inkling.vision.normalize import normalize
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels

DRAWINGS_SHA256 = "4e6381dd6e9124f9abea9c435dc0386145aca3898852bf45e79b8905cbb8ef38"
"""Over the images and reports of `drawings`. Integers and correctly rounded operations alone lead to these bits."""
DRAWN_DIGITS = "".join(str(digit) * 26 for digit in range(10)) + "3----"
"""The network's answers to `drawings`; a dash where there is no digit."""
PHOTO_SHEET = Path(__file__).with_name("normalized_photos.png")
"""The images of `photos`, side by side."""
PHOTO_DIGITS = "012345678927000111222333444555666777888999"
LEAST_CONFIDENCE = 0.8697
"""Of the digits read on `photos`; the median is 0.9997."""

Picture = NDArray[np.uint8] | NDArray[np.float32]


def drawings() -> Iterator[Picture]:
    """Yield drawings on uniform backgrounds, from 9 to 1,200 pixels high, and pictures without a single digit."""
    for digit in range(10):
        for height, pen in ((9, 1.5), (20, 2.0), (33, 4.0), (120, 9.0), (300, 12.0)):
            strokes = draw_strokes(digit, height, pen)
            canvas = put(strokes, (height * 3 // 2 + 8, height * 2 + 3), (height // 4, digit * height // 10))
            yield to_gray_levels(255 * canvas)
            yield to_gray_levels(255 - 255 * canvas)
            yield to_gray_levels(180 - 140 * canvas)
            yield to_gray_levels(40 + 25 * canvas).astype(np.float32)
            yield to_gray_levels(255 * strokes)
        yield to_gray_levels(255 * put(draw_strokes(digit, 20, 2.0), (28, 28), (4, 6)))
    yield to_gray_levels(255 * put(draw_strokes(3, 1200, 70.0), (1500, 2000), (100, 900)))
    pair = np.hstack([draw_strokes(4, 60, 6.0), draw_strokes(2, 60, 6.0)])
    yield to_gray_levels(255 * np.pad(pair, 10))
    yield np.full((50, 40), 130, np.uint8)
    yield np.pad(np.full((40, 40), 255, np.uint8), 10)
    yield np.random.default_rng(1).integers(0, 2, (64, 64), np.uint8) * np.uint8(255)


def photos() -> Iterator[Gray]:
    """Yield photos of 160 to 900 pixels, and pictures of 28x28 pixels with stripes, a crossing line or noise."""
    random = np.random.default_rng(2)
    for digit in range(10):
        yield photograph(put(draw_strokes(digit, 112, 9.0), (160, 160), (20 + digit, 30)), seed=digit)
    for digit in (2, 7):
        yield photograph(put(draw_strokes(digit, 150, 14.0), (900, 700), (300, 200)), seed=digit, noise=12.0)
    for digit in range(10):
        image = to_gray_levels(255 * put(draw_strokes(digit, 20, 2.0), (28, 28), (4, 6)))
        striped, crossed = image.copy(), image.copy()
        striped[:, 9:12] = 255 - striped[:, 9:12]
        crossed[np.arange(28), np.arange(28)] = 255
        yield striped
        yield crossed
        yield np.clip(image + random.integers(-60, 61, image.shape), 0, 255).astype(np.uint8)


def normalized_or_none(picture: Picture) -> Normalized | None:
    try:
        return normalize(picture)
    except NoDigitError:
        return None


def answers(classifier: Classifier, results: list[Normalized | None]) -> tuple[str, NDArray[np.float32]]:
    """Return the digits read, a dash for None, and the confidences."""
    probabilities = classifier.probabilities(np.stack([result.pixels for result in results if result]))
    digits = iter(probabilities.argmax(axis=1))
    return "".join(str(next(digits)) if result else "-" for result in results), probabilities.max(axis=1)


def test_drawings_are_normalized_to_the_recorded_bits(classifier: Classifier) -> None:
    # when
    results = [normalized_or_none(picture) for picture in drawings()]
    # then
    digest = hashlib.sha256()
    for result in results:
        if result is not None:
            report = result.report
            summary: tuple[Any, ...] = (report.is_untouched, report.inverted, report.box, report.background_removed)
            digest.update(result.pixels.tobytes() + repr((*summary, len(report.warnings))).encode())
    assert answers(classifier, results)[0] == DRAWN_DIGITS
    assert digest.hexdigest() == DRAWINGS_SHA256


def test_photos_are_normalized_to_the_recorded_images(classifier: Classifier) -> None:
    # when
    results = [normalized_or_none(picture) for picture in photos()]
    # then: up to the rounding of another BLAS or Pillow
    images = np.hstack([result.pixels for result in results if result])
    recorded = np.asarray(Image.open(PHOTO_SHEET))
    np.testing.assert_allclose(images.astype(int), recorded, atol=2)
    digits, confidences = answers(classifier, results)
    assert digits == PHOTO_DIGITS
    assert confidences.min() == pytest.approx(LEAST_CONFIDENCE, abs=0.02)
    assert np.median(confidences) == pytest.approx(0.9997, abs=0.001)
