import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.model_card.corruptions import CORRUPTIONS, corrupted
from tests.support.digits import make_digits


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return make_digits(100, seed=5)[0]


def foreground(images: NDArray[np.uint8]) -> float:
    """Return the mean gray level, 0 to 1."""
    return float(images.mean() / 255)


def test_there_are_21_corruptions() -> None:
    assert len(CORRUPTIONS) == 21


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_makes_other_images_of_the_same_shape(name: str, images: NDArray[np.uint8]) -> None:
    before = images.copy()
    result = corrupted(name, images)
    assert result.shape == images.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(images, before)  # the input is left alone
    is_other = (result != images).any(axis=(1, 2))
    assert is_other.mean() > 0.95  # a shift may be 0


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_is_the_same_for_the_same_seed_only(name: str, images: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(corrupted(name, images, seed=1), corrupted(name, images, seed=1))
    assert (corrupted(name, images, seed=1) != corrupted(name, images, seed=2)).any()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_is_independent_for_each_image(name: str, images: NDArray[np.uint8]) -> None:
    result = corrupted(name, np.repeat(images[:1], 20, axis=0))
    assert len(np.unique(result.reshape(20, -1), axis=0)) > 10


def test_brightness_makes_the_background_gray_and_keeps_white_strokes(images: NDArray[np.uint8]) -> None:
    result = corrupted("brightness", images)
    assert 0.4 * 255 - 1 <= result.min() <= result.min(axis=(1, 2)).max() <= 0.6 * 255 + 1
    assert (result[images == 255] == 255).all()


def test_low_contrast_keeps_a_quarter_to_half_of_the_span(images: NDArray[np.uint8]) -> None:
    ratio = np.ptp(corrupted("low contrast", images).astype(int), axis=(1, 2)) / np.ptp(images.astype(int), axis=(1, 2))
    assert 0.24 < ratio.min() < ratio.max() < 0.46


@pytest.mark.parametrize("name", ["line across", "zigzag across", "dotted line", "ruled paper", "blots", "fog"])
def test_overlay_darkens_no_pixel(name: str, images: NDArray[np.uint8]) -> None:
    result = corrupted(name, images)
    assert (result >= images).all()
    assert foreground(result) > foreground(images) + 0.005


@pytest.mark.parametrize("name", ["line across", "zigzag across"])
def test_line_runs_from_edge_to_edge(name: str) -> None:
    crossed = corrupted(name, np.zeros((50, 28, 28), np.uint8))
    edges = np.stack([crossed[:, 0], crossed[:, -1], crossed[:, :, 0], crossed[:, :, -1]]).max(axis=2)  # (4, n)
    assert ((edges > 100).sum(axis=0) >= 2).all()


@pytest.mark.parametrize("name", ["Gaussian blur", "motion blur"])
def test_blur_keeps_the_amount_of_foreground(name: str, images: NDArray[np.uint8]) -> None:
    result = corrupted(name, images)
    assert foreground(result) == pytest.approx(foreground(images), rel=0.01)
    assert result.max(axis=(1, 2)).mean() < images.max(axis=(1, 2)).mean()


def test_salt_and_pepper_touches_a_tenth_to_a_fifth_of_the_pixels() -> None:
    gray = np.full((200, 28, 28), 100, np.uint8)
    result = corrupted("salt and pepper", gray)
    assert set(np.unique(result)) == {0, 100, 255}
    share = (result != 100).mean(axis=(1, 2))
    assert 0.06 < share.min() < share.max() < 0.25
    assert (result == 0).mean() == pytest.approx((result == 255).mean(), rel=0.1)


def test_stripes_invert_the_edges_and_leave_the_middle(images: NDArray[np.uint8]) -> None:
    result = corrupted("stripes", images)
    np.testing.assert_array_equal(result[:, 7:21, 7:21], images[:, 7:21, 7:21])
    assert ((result == images) | (result == 255 - images)).all()


def test_shift_moves_every_pixel_alike_and_loses_none(images: NDArray[np.uint8]) -> None:
    inner = np.zeros_like(images)
    inner[:, 4:24, 4:24] = images[:, 4:24, 4:24]
    result = corrupted("shift", inner)
    np.testing.assert_array_equal(np.sort(result.reshape(100, -1)), np.sort(inner.reshape(100, -1)))


def test_scale_changes_the_height_by_its_factor() -> None:
    square = np.zeros((300, 28, 28), np.uint8)
    square[:, 9:19, 9:19] = 255
    heights = corrupted("scale", square)[:, :, 14].sum(axis=1) / 255
    assert 5.5 < heights.min() < 6.5
    assert 12.5 < heights.max() < 13.5


@pytest.mark.parametrize("name", ["rotation", "shear"])
def test_rotation_and_shear_keep_the_center_and_the_amount_of_foreground(name: str, images: NDArray[np.uint8]) -> None:
    result = corrupted(name, images)
    np.testing.assert_allclose(
        result[:, 13:15, 13:15].mean(axis=(1, 2)), images[:, 13:15, 13:15].mean(axis=(1, 2)), atol=16
    )
    assert foreground(result) == pytest.approx(foreground(images), rel=0.02)


def test_thick_strokes_are_wider_and_thin_ones_thinner(images: NDArray[np.uint8]) -> None:
    assert foreground(corrupted("thick strokes", images)) > 1.4 * foreground(images)
    assert foreground(corrupted("thin strokes", images)) < 0.9 * foreground(images)


def test_thin_strokes_are_not_deleted() -> None:
    line = np.zeros((20, 28, 28), np.uint8)
    line[:, 4:24, 14] = 255
    assert (corrupted("thin strokes", line)[:, 6:22, 14] > 200).all()


def test_renamed_corruption_makes_the_pictures_of_its_first_name() -> None:
    result = corrupted("brightness", np.zeros((4, 28, 28), np.uint8))
    assert result[:, 0, 0].tolist() == [120, 111, 115, 106]
