from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkling.vision.order_statistics import GrayLevels, median, percentile, rank_of_windows


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (40, 33)])
@pytest.mark.parametrize("levels", [1, 2, 7, 256])
def test_order_statistics_are_those_of_numpy(shape: tuple[int, int], levels: int) -> None:
    gray = np.random.default_rng(levels).integers(0, levels, shape).astype(np.uint8)
    counted = GrayLevels(gray)
    assert counted.median == np.median(gray)
    assert counted.median_deviation == np.median(np.abs(gray - np.median(gray)))
    for percent in (0, 0.2, 50, 80, 99.5, 100):
        assert counted.percentile(percent) == pytest.approx(np.percentile(gray, percent), abs=1e-9)


def test_every_second_row_of_a_picture_is_counted() -> None:
    gray = np.array([[10, 20], [255, 255], [30, 40]], np.uint8)
    assert GrayLevels(gray[::2]).median == 25


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (40, 33), (31, 33)])
def test_median_has_the_bits_of_numpys(dtype: type, shape: tuple[int, ...]) -> None:
    values: NDArray[Any] = (255 * np.random.default_rng(1).random(shape)).astype(dtype)
    assert median(values) == float(np.median(values))
    assert median(values.T) == float(np.median(values))


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (40, 33), (31, 33)])
@pytest.mark.parametrize("percent", [0, 2, 50, 70, 98, 99.8, 100])
def test_percentile_has_the_bits_of_numpys(shape: tuple[int, ...], percent: float) -> None:
    values = 255 * np.random.default_rng(2).random(shape, np.float32)
    assert percentile(values, percent) == float(np.percentile(values, percent))


@pytest.mark.parametrize("shape", [(3, 3), (3, 9), (20, 17)])
@pytest.mark.parametrize("rank", [0, 3, 8])
def test_rank_of_windows_is_that_of_pillow(shape: tuple[int, int], rank: int) -> None:
    levels = 255 * np.random.default_rng(3).random(shape, np.float32)
    filtered = np.asarray(Image.fromarray(levels).filter(ImageFilter.RankFilter(3, rank)))
    np.testing.assert_array_equal(rank_of_windows(levels, 3, rank), filtered[1:-1, 1:-1])
