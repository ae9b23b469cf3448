"""Alternative images of pictures of MNIST's size."""

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.errors import SeveralDigitsError
from inkling.vision.normalization import MAX_ALTERNATIVES, Normalized
from inkling.vision.normalize import normalize
from inkling.vision.pooling import dilate
from inkling.vision.small_alternatives import filled, without_clouds, without_thin_lines


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


@pytest.mark.parametrize("inverted", [False, True])
def test_picture_is_also_read_as_it_was_sent_and_moved_to_its_center(digits: Gray, *, inverted: bool) -> None:
    sent = np.pad(digits[3], 3)[:28, 6:]  # 3 down, 3 to the left
    sent[5, 25] = 200  # a speck
    first, *others = readings(255 - sent if inverted else sent).values()
    as_sent, moved = (reading for reading in (first, *others) if reading.is_shifted)
    np.testing.assert_array_equal(as_sent.pixels, sent)
    np.testing.assert_array_equal(moved.pixels[:, 3:], np.pad(sent, 3, mode="edge")[6:, 3:31][:, :25])
    assert moved.report.warnings == ("the picture was moved to its center of mass",)
    assert moved.weight < as_sent.weight


def test_splashes_that_reach_two_edges_are_no_stripe() -> None:
    splashed = ring(10, 6.5)
    for rows in (slice(0, 8), slice(20, 28)):
        splashed[rows, 5:7] = np.maximum(splashed[rows, 5:7], 63)
    assert not any("stripes" in warning for warnings in readings(splashed) for warning in warnings)


def test_smear_that_joins_the_halves_of_a_digit_shows_that_they_are_no_pair() -> None:
    halves = np.zeros((28, 28), np.uint8)
    halves[4:24, 7:10] = halves[4:24, 17:20] = 255
    with pytest.raises(SeveralDigitsError):
        normalize(halves)
    halves[12:18, 5:26] = np.maximum(halves[12:18, 5:26], 63)
    assert readings(halves)


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
