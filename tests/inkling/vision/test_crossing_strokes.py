import numpy as np
import pytest

from inkling.digit import Box, Gray
from inkling.network.classifier import Classifier
from inkling.readings import read_each
from inkling.vision.crossing_strokes import is_crossed, is_step_of_light
from inkling.vision.normalize import normalize
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


def fold(digit_at: tuple[int, int]) -> Gray:
    """Return a picture with a step of light at column 70."""
    strokes = put(draw_strokes(5, 90, 9.0), (240, 220), digit_at)
    light = np.where(np.arange(220) < 70, 0.8, 1.0)
    noise = np.random.default_rng(0).normal(0, 2, strokes.shape)
    return to_gray_levels(220 * light * (1 - 0.7 * strokes) + noise)


@pytest.mark.parametrize(("box", "expected"), [((0, 0, 70, 240), True), ((70, 0, 220, 240), False)])
def test_part_without_strokes_beside_a_part_with_strokes_is_a_step_of_light(box: Box, expected: bool) -> None:
    assert is_step_of_light(fold((80, 100)), box) == expected


@pytest.mark.parametrize("box", [(0, 50, 220, 200), (40, 0, 180, 240), (0, 0, 220, 240), (0, 0, 0, 0)])
def test_what_lies_between_two_bars_or_has_no_other_side_is_no_step_of_light(box: Box) -> None:
    assert not is_step_of_light(fold((80, 100)), box)


def test_digit_beside_a_fold_and_across_it_is_read(classifier: Classifier) -> None:
    pictures = [normalize(fold(corner)) for corner in ((80, 100), (80, 20), (120, 140))]
    outputs = read_each(classifier.read, pictures).outputs
    assert outputs.probabilities.argmax(axis=1).tolist() == [5, 5, 5]
    assert outputs.probabilities.max(axis=1).min() > 0.8
