import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.model_card.yardstick.mnist_c import MNIST_C, mnist_c
from tests.support.digits import make_digits

IMAGES = make_digits(40, seed=5)[0]
BLACK = np.zeros((10, 28, 28), np.uint8)


def test_there_are_the_fifteen_published_kinds() -> None:
    assert len(MNIST_C) == 15


@pytest.mark.parametrize("name", MNIST_C)
def test_corruption_makes_other_images_of_the_same_shape(name: str) -> None:
    before = IMAGES.copy()
    result = mnist_c(name, IMAGES)
    assert result.shape == IMAGES.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(IMAGES, before)  # the input is left alone
    assert (result != IMAGES).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(mnist_c(name, IMAGES), result)


def test_impulse_noise_hits_17_of_100_pixels() -> None:
    result = mnist_c("impulse noise", np.full((100, 28, 28), 100, np.uint8))
    assert set(np.unique(result)) == {0, 100, 255}
    assert (result != 100).mean() == pytest.approx(0.17, abs=0.01)


def test_brightness_adds_half() -> None:
    assert (mnist_c("brightness", BLACK) == 128).all()


def test_stripe_inverts_the_outer_columns() -> None:
    result = mnist_c("stripe", BLACK)
    assert (result[:, :, :7] == 255).all()
    assert (result[:, :, 7:21] == 0).all()
    assert (result[:, :, 21:] == 255).all()


def test_translate_moves_by_three_pixels_on_both_axes() -> None:
    dots = BLACK.copy()
    dots[:, 14, 14] = 255
    _, rows, columns = np.nonzero(mnist_c("translate", dots))
    assert set(rows) | set(columns) == {11, 17}


def test_scale_shrinks_to_seven_tenths() -> None:
    square = BLACK.copy()
    square[:, 4:24, 4:24] = 255
    heights = mnist_c("scale", square)[:, :, 14].sum(axis=1) / 255
    np.testing.assert_allclose(heights, 14, atol=0.2)


@pytest.mark.parametrize(("name", "angle"), [("rotate", 0.4), ("shear", 0.4)])
def test_upright_line_leans_by_the_published_angle(name: str, angle: float) -> None:
    line = BLACK.copy()
    line[:, 2:26, 13:15] = 255
    result = mnist_c(name, line).astype(np.float64)
    centers = (result * np.arange(28)).sum(axis=2) / np.maximum(result.sum(axis=2), 1)
    slopes = (centers[:, 20] - centers[:, 7]) / 13
    np.testing.assert_allclose(np.abs(slopes), np.tan(angle), atol=0.05)


def test_fog_is_light_and_smooth() -> None:
    result = mnist_c("fog", IMAGES).astype(int)
    assert result.mean() > 50
    assert np.abs(np.diff(result[:, 0], axis=1)).mean() < 12


@pytest.mark.parametrize(("name", "columns"), [("dotted line", range(2, 27)), ("zigzag", range(3, 24))])
def test_line_crosses_the_image(name: str, columns: range) -> None:
    images: NDArray[np.uint8] = np.repeat(BLACK, 4, axis=0)
    result = mnist_c(name, images)
    crossed = result.max(axis=1)[:, columns] > 100
    assert crossed.mean() > (0.4 if name == "dotted line" else 0.7)
    if name == "dotted line":
        assert not result[:, :, 0:2].any()


def test_edges_are_thin_and_only_black_or_white() -> None:
    square = BLACK.copy()
    square[:, 8:20, 8:20] = 255
    result = mnist_c("canny edges", square)
    assert set(np.unique(result)) == {0, 255}
    assert (result[0] > 0).sum() == pytest.approx(4 * 12, abs=8)
    assert not result[:, 11:17, 11:17].any()
