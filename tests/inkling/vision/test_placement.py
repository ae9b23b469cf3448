import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.vision.placement import (
    bounding_box,
    center_of_mass,
    centering_offset,
    looks_like_mnist,
    place_in_frame,
    stretch_contrast,
)


@pytest.mark.parametrize(("side", "offset"), [(1, 14), (2, 14), (3, 13), (4, 13), (19, 5), (20, 5)])
def test_even_block_is_centered_by_rounding_down_from_14_and_a_half(side: int, offset: int) -> None:
    assert centering_offset(np.full((side, side), 255, np.uint8)) == (offset, offset)


def test_rows_and_columns_are_centered_separately() -> None:
    digit = np.zeros((10, 6), np.uint8)
    digit[9, 0] = 1
    assert centering_offset(digit) == (5, 14)


def test_center_of_mass_weighs_the_levels() -> None:
    assert center_of_mass(np.array([[0, 100], [0, 200]], np.uint8)) == pytest.approx((2 / 3, 1))


def test_offset_of_a_placed_digit_is_zero() -> None:
    # given: a digit of 20 pixels whose center is not in the middle of its box
    digit = np.zeros((20, 12), np.uint8)
    digit[:, 2:4], digit[15:, :] = 255, 200
    # then
    assert centering_offset(place_in_frame(digit)) == (0, 0)


def test_box_of_an_empty_mask_is_none() -> None:
    assert bounding_box(np.zeros((3, 4), bool)) is None


def test_box_ends_at_the_first_pixels_outside() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2, 3] = mask[5, 7] = True
    assert bounding_box(mask) == (3, 2, 8, 6)


@pytest.mark.parametrize(("brightest", "expected"), [(1, 255), (100, 255), (253, 255), (254, 254), (255, 255)])
def test_contrast_is_stretched_to_255_but_mnists_254_is_kept(brightest: int, expected: int) -> None:
    stretched = stretch_contrast(np.array([[0, brightest]], np.uint8))
    assert stretched.tolist() == [[0, expected]]
    assert stretched.dtype == np.uint8


@settings(database=None, deadline=None)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 90), width=st.integers(1, 90))
def test_placed_digit_fits_the_box_and_is_placed_like_mnist(seed: int, height: int, width: int) -> None:
    # given: any cropped digit whose edges all hold foreground
    digit = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    digit[[0, -1]] = digit[:, [0, -1]] = 255
    # when
    placed = place_in_frame(digit)
    # then
    box = bounding_box(placed > 0)
    assert box is not None
    left, top, right, bottom = box
    assert max(right - left, bottom - top) in (19, 20)
    assert placed.max() >= 254
    assert looks_like_mnist(placed)
    np.testing.assert_array_equal(place_in_frame(placed[top:bottom, left:right]), placed)
