"""Alternative images of pictures of MNIST's size."""

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.vision.normalization import MAX_ALTERNATIVES, Normalized
from inkling.vision.normalize import normalize
from inkling.vision.pooling import dilate
from inkling.vision.small_alternatives import filled, smoothed, without_clouds, without_thin_lines


def ring(outer: float, inner: float) -> Gray:
    y, x = np.indices((28, 28)) - 13.5
    radius = np.hypot(y, x)
    return np.where((radius < outer) & (radius > inner), np.uint8(255), np.uint8(0))


def outline(shape: Gray) -> Gray:
    """Return the border of a shape, one pixel wide and outside of it."""
    mask = shape > 127
    return np.where(dilate(mask, 1) & ~mask, np.uint8(255), np.uint8(0))


def readings(picture: Gray) -> dict[tuple[str, ...], Normalized]:
    normalized = normalize(picture)
    assert len(normalized.alternatives) <= MAX_ALTERNATIVES
    return {reading.report.warnings: reading for reading in (normalized, *normalized.alternatives)}


def test_hollow_stroke_is_filled_and_the_hole_of_a_hollow_0_is_not() -> None:
    zero = ring(10, 6.5)
    hollow = outline(zero)
    result = filled(hollow)
    assert result is not None
    np.testing.assert_array_equal(result, np.maximum(hollow, zero))


@pytest.mark.parametrize("shape", [ring(10, 6.5), ring(9, 0), np.zeros((28, 28), np.uint8)])
def test_solid_stroke_and_blank_image_have_nothing_to_fill(shape: Gray) -> None:
    assert filled(shape) is None


def test_hole_of_a_thin_0_and_open_outline_are_not_filled() -> None:
    assert filled(ring(9, 8)) is None
    hollow = outline(ring(10, 6.5))
    hollow[:, 13:15] = 0
    assert filled(hollow) is None


def test_thin_line_and_specks_go_and_a_stroke_stays() -> None:
    picture = ring(10, 6.5)
    marked = picture.copy()
    marked[2, 2] = marked[1, :] = 255
    np.testing.assert_array_equal(without_thin_lines(marked), without_thin_lines(picture))
    assert (without_thin_lines(picture) == picture).mean() > 0.97


def test_smoothed_image_keeps_its_place_and_a_full_maximum() -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[10, 20] = 90
    blurred = smoothed(picture)
    assert blurred[10, 20] == 255
    assert (blurred > 0).sum() == 9
    assert not smoothed(np.zeros((28, 28), np.uint8)).any()


@pytest.mark.parametrize("inverted", [False, True])
def test_clouds_go_and_strokes_stay(*, inverted: bool) -> None:
    stroke = ring(9, 6.5) > 0
    cloud = 60 + 60 * np.sin(np.indices((28, 28)).sum(axis=0) / 6)
    light = np.where(stroke, 230, cloud).astype(np.float32)
    levels = without_clouds(255 - light if inverted else light, inverted=inverted)
    assert levels[stroke].min() > 100
    assert np.median(levels[~stroke]) < 30


def test_spattered_digit_is_read_as_it_is_and_without_the_splashes(digits: Gray) -> None:
    spattered = digits[3].copy()
    spattered[0:2, 4:6] = spattered[1:3, 24:26] = spattered[25:27, 4:6] = spattered[26:28, 20:22] = 255
    images = readings(spattered)
    np.testing.assert_array_equal(images[()].pixels, spattered)
    removed = images[("marks beside the digit were removed",)].pixels
    assert (removed != digits[3]).mean() < 0.02


def test_shifted_digit_is_re_placed_first_and_also_read_where_it_is(digits: Gray) -> None:
    shifted = np.roll(digits[3], 1, axis=1)
    normalized = normalize(shifted)
    np.testing.assert_array_equal(normalized.pixels, digits[3])
    assert any((reading.pixels == shifted).all() for reading in normalized.alternatives)


def test_hollow_digit_that_looks_like_mnist_is_untouched_first(digits: Gray) -> None:
    hollow = outline(ring(9, 5.5))
    normalized = normalize(hollow)
    assert normalized.report.is_untouched
    (alternative,) = normalized.alternatives
    assert alternative.report.warnings == ("hollow strokes were filled",)
