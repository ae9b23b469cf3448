from typing import Any

import numpy as np
import pytest

from app.protocols.pixels import count_images, to_levels
from inkling.errors import ImageError

LEVELS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_integers_are_levels(dtype: Any) -> None:
    assert np.array_equal(to_levels(LEVELS.astype(dtype), is_unit=False), LEVELS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_every_width_give_every_level_back(dtype: Any) -> None:
    assert np.array_equal(to_levels((LEVELS / 255).astype(dtype), is_unit=True), LEVELS)


@pytest.mark.parametrize("number", [-0.01, 1.01, 255.0, np.nan, np.inf])
def test_floats_beyond_0_to_1_are_refused(number: float) -> None:
    with pytest.raises(ImageError, match="divide by 255, or send UINT8"):
        to_levels(np.array([0, number], np.float32), is_unit=True)


@pytest.mark.parametrize("numbers", [[-1], [256], [0.5], [2**62]])
def test_others_than_levels_are_refused(numbers: list[Any]) -> None:
    with pytest.raises(ImageError, match="send FP32 for numbers from 0 to 1"):
        to_levels(np.array(numbers), is_unit=False)


def test_shapes() -> None:
    for shape in ((2, 784), (2, 28, 28), (2, 28, 28, 1), (2, 1, 28, 28)):
        assert count_images(shape) == 2
    wrong: list[tuple[int, ...]] = [(784,), (28, 28), (2, 785), (2, 28, 28, 3), (0, 784), ()]
    for other in wrong:
        with pytest.raises(ImageError, match=r"expected \[n, 784\]|holds no image"):
            count_images(other)
