import numpy as np
import pytest

from training.data.pen import BOX, arc, bezier, centered, draw


def test_curve_with_two_control_points_is_a_line() -> None:
    line = bezier((0, 1), (2, 0))
    assert line[0].tolist() == [0, 1]
    assert line[-1].tolist() == [2, 0]
    assert np.allclose(line[:, 0] + 2 * line[:, 1], 2)


def test_curve_is_bent_towards_its_inner_control_points() -> None:
    middle = np.mean(bezier((0, 0), (0, 1), (1, 1), (1, 0))[7:9], axis=0)  # around t = 1/2
    assert middle == pytest.approx([0.5, 0.75], abs=0.01)  # (p0 + 3 p1 + 3 p2 + p3) / 8


def test_arc_goes_clockwise_from_its_start() -> None:
    quarter = arc((1, 2), (3, 4), start=-90, sweep=90)  # from above the center to the right of it
    assert quarter[0] == pytest.approx([1, -2])
    assert quarter[-1] == pytest.approx([4, 2])
    assert (np.diff(quarter, axis=0) > -1e-12).all()


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("unit", [0.01, 1, 300])
def test_upright_stroke_is_as_long_and_as_wide_as_asked(width: float, unit: float) -> None:
    ink = draw([bezier((0, 0), (0, unit))], width) / 255
    assert ink[14].sum() == pytest.approx(width * BOX, abs=0.02)
    assert (ink.sum(axis=1) > 0.25).sum() == BOX


def test_level_stroke_fills_the_box_from_side_to_side() -> None:
    ink = draw([bezier((0, 0), (1, 0)), bezier((0, 0), (0, 0.5))], 0.2) / 255
    assert (ink.sum(axis=0) > 0.25).sum() == BOX


def test_strokes_that_cross_are_no_darker_where_they_do() -> None:
    image = draw([bezier((0, 0), (1, 1)), bezier((1, 0), (0, 1))], 0.1)
    assert image[14, 14] == 255
    assert image.max() == 255


@pytest.mark.parametrize("place", [(2, 3), (20, 9), (10, 14)])
def test_image_is_centerd_by_whole_pixels(place: tuple[int, int]) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[place[0] : place[0] + 3, place[1] : place[1] + 3] = np.arange(100, 109).reshape(3, 3)
    moved = centered(image)
    assert moved[13:16, 13:16].tolist() == np.arange(100, 109).reshape(3, 3).tolist()
    assert moved.sum() == image.sum()
