import numpy as np
import pytest

from inkling.vision.normalize import normalize
from inkling.vision.paper import SHADOW_REMOVED, foregrounds_on_paper
from inkling.vision.two_levels import find_two_levels
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("is_dark", [False, True])
def test_thick_strokes_that_fill_the_picture_are_found(digit: int, is_dark: bool) -> None:
    strokes = put(draw_strokes(digit, 112, 30.0), (116, 94), (2, 2))
    noise = np.random.default_rng(digit).normal(0, 3, strokes.shape)
    levels = 200 * strokes + 20 if is_dark else 230 - 200 * strokes
    found = find_two_levels(to_gray_levels(levels + noise).astype(np.float32))
    assert found is not None
    assert found.inverted is not is_dark
    assert (found.mask == (strokes > 0.5)).mean() > 0.99


def test_picture_on_a_page_is_read_though_strokes_fill_it() -> None:
    tight = put(draw_strokes(3, 200, 52.0), (206, 166), (3, 3))
    page = np.pad(240 - 215 * tight, 60, constant_values=90)
    noisy = page + np.random.default_rng(5).normal(0, 2, page.shape)
    plain = normalize(to_gray_levels(240 - 215 * np.pad(tight, 20)))
    assert np.abs(normalize(to_gray_levels(noisy)).pixels.astype(int) - plain.pixels).mean() < 12


@pytest.mark.parametrize("level", [120.0, 0.0])
def test_blank_picture_has_no_two_levels(level: float) -> None:
    assert find_two_levels(np.full((60, 60), level, np.float32)) is None


def test_picture_in_uneven_light_has_no_two_levels() -> None:
    photo = photograph(put(draw_strokes(2, 112, 9.0), (160, 160), (24, 30)), seed=3)
    assert find_two_levels(photo.astype(np.float32) * np.linspace(0.4, 1, 160, dtype=np.float32)) is None


def test_faint_marks_have_no_two_levels() -> None:
    assert find_two_levels((200 - 15 * draw_strokes(2, 112, 20.0)).astype(np.float32)) is None


def test_shadow_in_a_corner_is_not_read_as_strokes_first() -> None:
    y, x = np.mgrid[:160, :160]
    photo = (220 - 160 * put(draw_strokes(1, 112, 8.0), (160, 160), (24, 20))) * np.where(x + y > 200, 0.4, 1.0)
    readings = foregrounds_on_paper(to_gray_levels(photo).astype(np.float32))
    assert SHADOW_REMOVED in readings[0].removed
