import numpy as np
import pytest

from inkling.digit import Gray
from inkling.vision.placement import bounding_box, center_of_mass
from tests.support.digits import make_digits
from training.data.distorted_digits import distort_digits
from training.data.figures.hand import draw_strokes, placed
from training.data.non_digits import KINDS, draw_non_digits

PLACED = set(KINDS) - {"patterns", "flat"}


@pytest.fixture(scope="module")
def digits() -> Gray:
    return make_digits(30, seed=6)[0]


def test_kinds_come_in_turn_and_differ_from_image_to_image(digits: Gray) -> None:
    images, kinds = draw_non_digits(3 * len(KINDS), digits, seed=1)
    assert kinds.tolist() == [*KINDS] * 3
    assert images.shape == (3 * len(KINDS), 28, 28)
    drawn = images[kinds != "flat"]
    assert len({image.tobytes() for image in drawn}) == len(drawn)


@pytest.mark.parametrize("kind", sorted(PLACED))
def test_strokes_are_placed_as_digits_are(digits: Gray, kind: str) -> None:
    images, kinds = draw_non_digits(20 * len(KINDS), digits, seed=2)
    for image in images[kinds == kind]:
        assert image.max() >= 200
        assert all(13 <= center <= 15 for center in center_of_mass(image))
        box = bounding_box(image > 64)
        assert box is not None
        assert max(box[2] - box[0], box[3] - box[1]) <= 22


def test_same_seed_draws_the_same_images(digits: Gray) -> None:
    first, again, other = (draw_non_digits(2 * len(KINDS), digits, seed)[0] for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_stroke_has_the_width_that_was_asked_for() -> None:
    image = draw_strokes([np.array([(0.0, 0.0), (0.0, 1.0)])], width=0.2)
    assert (image > 127).sum(axis=1).max() == 4
    assert (image > 127).any(axis=1).sum() == 20


def test_figure_that_is_blank_stays_so() -> None:
    assert not placed(np.zeros((28, 28), np.uint8)).any()


def test_distorted_digits_are_other_images_of_the_same_placement(digits: Gray) -> None:
    distorted = distort_digits(digits, seed=1)
    assert distorted.tobytes() == distort_digits(digits, seed=1).tobytes()
    assert (distorted != digits).any(axis=(1, 2)).all()
    assert (distorted.max(axis=(1, 2)) >= 250).all()
    assert all(13 <= center <= 15 for image in distorted for center in center_of_mass(image))


def test_digit_too_faint_to_be_distorted_stays_as_it_is() -> None:
    faint = np.zeros((1, 28, 28), np.uint8)
    faint[0, 10:18, 14] = 20
    assert distort_digits(faint, seed=0).tobytes() == faint.tobytes()
