import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkling.digit import Mask
from inkling.vision.connected_components import label


def flood_filled(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Label a mask by flood fill from each pixel that is not labeled yet."""
    labels, count = np.zeros(mask.shape, np.int32), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        count += 1
        waiting = [start]
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not labels[y, x]:
                labels[y, x] = count
                waiting += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return labels, count


@settings(database=None, deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 30), width=st.integers(1, 30), share=st.floats(0, 1))
def test_labels_are_those_of_a_flood_fill(seed: int, height: int, width: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    labels, count = label(mask)
    expected, expected_count = flood_filled(mask)
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


def test_spiral_is_one_component() -> None:
    spiral = np.zeros((101, 101), bool)
    low, high = 0, 100
    while low < high:
        spiral[low, low : high + 1] = spiral[low : high + 1, high] = spiral[high, low : high + 1] = True
        spiral[low + 2 : high + 1, low] = True
        spiral[low + 2, low : low + 2] = True
        low, high = low + 2, high - 2
    assert label(spiral)[1] == 1


@pytest.mark.parametrize(("shape", "count"), [((1000, 1000), 1), ((1, 999), 500)])
def test_squares_of_a_checkerboard_touch_by_their_corners(shape: tuple[int, int], count: int) -> None:
    assert label(np.indices(shape).sum(axis=0) % 2 == 0)[1] == count


def test_empty_mask_has_no_component() -> None:
    labels, count = label(np.zeros((3, 4), bool))
    assert count == 0
    assert not labels.any()
