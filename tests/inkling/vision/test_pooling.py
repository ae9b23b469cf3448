"""Each of them is compared with the same in plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.vision.pooling import close, has_block, max_filter, max_pool, min_pool, share

SHAPES = [(1, 1), (1, 9), (7, 5), (12, 12), (13, 17)]


def picture(shape: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_each_square_is_reduced_also_where_the_end_cuts_it_off(shape: tuple[int, int], step: int) -> None:
    gray = picture(shape)
    squares = [[gray[y : y + step, x : x + step] for x in range(0, shape[1], step)] for y in range(0, shape[0], step)]
    mask = gray > 200
    marks = [
        [mask[y : y + step, x : x + step].any() for x in range(0, shape[1], step)] for y in range(0, shape[0], step)
    ]
    assert min_pool(gray, step).tolist() == [[square.min() for square in row] for row in squares]
    assert max_pool(mask, step).tolist() == marks


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_closing_is_a_maximum_and_then_a_minimum_over_windows(shape: tuple[int, int], width: int) -> None:
    gray = picture(shape)
    before, behind = width // 2, width - 1 - width // 2
    wide = np.pad(gray, width, mode="edge")
    lightest = windows(np.pad(wide, ((before, behind), (before, behind)), mode="edge"), width).max(axis=(2, 3))
    darkest = windows(np.pad(lightest, ((behind, before), (behind, before)), mode="edge"), width).min(axis=(2, 3))
    assert max_filter(wide, width).tolist() == lightest.tolist()
    assert close(gray, width).tolist() == darkest[width:-width, width:-width].tolist()
    assert (close(gray, width) >= gray).all()


def windows(gray: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    view: NDArray[np.uint8] = np.lib.stride_tricks.sliding_window_view(gray, (width, width))
    return view


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (4, 6), (5, 6), (4, 7)])
def test_a_block_is_found_where_it_fits(rows: int, columns: int) -> None:
    mask = np.zeros((9, 11), np.bool_)
    mask[2:6, 4:10] = True  # 4 rows of 6
    assert has_block(mask, rows, columns) == (rows <= 4 and columns <= 6)


def test_a_share_is_a_mean() -> None:
    assert share(np.array([[True, False], [False, False]])) == 0.25
