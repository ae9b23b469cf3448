import numpy as np
import pytest

from inkling.vision.box_blur import box_blur


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (28, 28), (17, 40)])
@pytest.mark.parametrize("radius", [1, 2, 3, 4, 9])
def test_each_pixel_is_the_mean_of_its_window(shape: tuple[int, int], radius: int) -> None:
    gray = 255 * np.random.default_rng(radius).random(shape, np.float32)
    padded = np.pad(gray.astype(np.float64), radius, mode="edge")
    size = 2 * radius + 1
    expected = [[padded[y : y + size, x : x + size].mean() for x in range(shape[1])] for y in range(shape[0])]
    blurred = box_blur(gray, radius)
    assert blurred.dtype == np.float32
    np.testing.assert_allclose(blurred, expected, rtol=1e-6)
