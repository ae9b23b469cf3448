import numpy as np
import pytest

from inkling.vision.crossing_strokes import is_crossed
from tests.support.pictures import draw_strokes, put, to_gray_levels

BOX = (60, 40, 180, 190)


@pytest.mark.parametrize("is_light", [False, True])
@pytest.mark.parametrize(("corner", "expected"), [((60, 80), False), ((150, 80), True), ((60, 20), True)])
def test_strokes_across_an_outline_are_found(corner: tuple[int, int], expected: bool, is_light: bool) -> None:
    strokes = put(draw_strokes(8, 90, 9.0), (240, 220), corner)
    paper = np.full((240, 220), 90.0 if is_light else 230.0)
    paper[BOX[1] : BOX[3], BOX[0] : BOX[2]] *= 0.5
    levels = paper + 120 * strokes if is_light else paper * (1 - 0.7 * strokes)
    noisy = levels + np.random.default_rng(0).normal(0, 4, paper.shape)
    assert is_crossed(to_gray_levels(noisy), BOX) == expected


def test_outline_along_the_edges_of_the_picture_is_not_crossed() -> None:
    assert not is_crossed(np.zeros((50, 40), np.uint8), (0, 0, 40, 50))
