import numpy as np
import pytest

from inkling.digit import DIGIT_SIDE
from training.data.pen import arc, bezier, centered, draw


def test_curve_with_two_control_points_is_a_line() -> None:
    line = bezier((0, 1), (2, 0))
    assert line[0].tolist() == [0, 1]
    assert line[-1].tolist() == [2, 0]
    assert np.allclose(line[:, 0] + 2 * line[:, 1], 2)


def test_curve_bends_towards_its_inner_control_points() -> None:
    middle = np.mean(bezier((0, 0), (0, 1), (1, 1), (1, 0))[7:9], axis=0)  # around t = 1/2
    assert middle == pytest.approx([0.5, 0.75], abs=0.01)  # (p0 + 3 p1 + 3 p2 + p3) / 8


def test_arc_goes_clockwise_from_its_start() -> None:
    quarter = arc((1, 2), (3, 4), start=-90, sweep=90)  # from above the center to the right of it
    assert quarter[0] == pytest.approx([1, -2])
    assert quarter[-1] == pytest.approx([4, 2])
    assert (np.diff(quarter, axis=0) > -1e-12).all()


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("unit", [0.01, 1, 300])
def test_vertical_stroke_has_the_length_and_width_asked_for(width: float, unit: float) -> None:
    stroke = draw([bezier((0, 0), (0, unit))], width) / 255
    assert stroke[14].sum() == pytest.approx(width * DIGIT_SIDE, abs=0.02)
    assert (stroke.sum(axis=1) > 0.25).sum() == DIGIT_SIDE


def test_horizontal_stroke_fills_the_box_from_side_to_side() -> None:
    strokes = draw([bezier((0, 0), (1, 0)), bezier((0, 0), (0, 0.5))], 0.2) / 255
    assert (strokes.sum(axis=0) > 0.25).sum() == DIGIT_SIDE


def test_strokes_are_no_brighter_where_they_cross() -> None:
    image = draw([bezier((0, 0), (1, 1)), bezier((1, 0), (0, 1))], 0.1)
    assert image[14, 14] == 255
    assert image.max() == 255


@pytest.mark.parametrize("place", [(2, 3), (20, 9), (10, 14)])
def test_image_is_centered_by_whole_pixels(place: tuple[int, int]) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[place[0] : place[0] + 3, place[1] : place[1] + 3] = np.arange(100, 109).reshape(3, 3)
    moved = centered(image)
    assert moved[13:16, 13:16].tolist() == np.arange(100, 109).reshape(3, 3).tolist()
    assert moved.sum() == image.sum()
