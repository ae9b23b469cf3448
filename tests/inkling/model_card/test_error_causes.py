import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.model_card.drawings import Drawing, draw_digit
from inkling.model_card.error_causes import CAUSES, causes_of
from inkling.model_card.readings import fit, read_fitted
from inkling.network.checkpoint import Card, Checkpoint, save
from inkling.network.classifier import Classifier

BRUSH, HAND, EITHER, SHAPE = CAUSES.values()


def ink_reader(card: Card, where: NDArray[np.bool_], limit: float) -> Classifier:
    """A network that reads an 8 where more than so many pixels of ink lie in a region (28, 28), and else a 1."""
    parameters = {
        "weights/h1": np.zeros((784, 128), np.float32),
        "biases/b1": np.zeros(128, np.float32),
        "weights/h2": np.zeros((128, 256), np.float32),
        "biases/b2": np.zeros(256, np.float32),
        "weights/out": np.zeros((256, 10), np.float32),
        "biases/out": np.full(10, -50, np.float32),
    }
    parameters["weights/h1"][where.ravel(), 0] = 10
    parameters["biases/b1"][0] = -10 * limit
    parameters["weights/h2"][0, 0], parameters["biases/b2"][0] = 20, -10
    parameters["weights/out"][0, 8] = 20
    parameters["biases/out"][[1, 8]] = 0, -10
    return Classifier(save(parameters, card.model_copy(update={"temperature": 1.0})), version=0)


def bare_one(brush: float, *, slanted: bool) -> Drawing:
    """A 1 that is a single upright stroke where it is taught, by a hand that slants it or does not."""
    for i in range(1000):
        drawing = draw_digit(1, brush, (0, i))
        rows, columns = np.nonzero(drawing.picture != drawing.picture[0, 0])
        slope = np.ptp(columns) / np.ptp(rows) - brush
        if drawing.shape == "bare" and (slope > 0.25 if slanted else slope < 0.1):
            return drawing
    raise AssertionError("no hand draws it so")


def is_misread(classifier: Classifier, drawing: Drawing) -> bool:
    return read_fitted(classifier, fit([drawing.picture])).right(np.array([drawing.label])) == 0


@pytest.fixture
def thick_is_eight(shipped: Checkpoint) -> Classifier:
    return ink_reader(shipped.card, np.ones((28, 28), np.bool_), limit=55)


@pytest.fixture
def wide_is_eight(shipped: Checkpoint) -> Classifier:
    return ink_reader(shipped.card, np.abs(np.arange(28) - 14) * np.ones((28, 1)) > 3, limit=2)


def test_what_is_read_with_another_brush_is_laid_to_the_brush(thick_is_eight: Classifier) -> None:
    drawing = bare_one(0.2, slanted=False)
    assert is_misread(thick_is_eight, drawing)
    assert causes_of(thick_is_eight, [drawing]) == {BRUSH: 1}


def test_what_is_read_as_it_is_taught_is_laid_to_the_hand(wide_is_eight: Classifier) -> None:
    drawing = bare_one(0.08, slanted=True)
    assert is_misread(wide_is_eight, drawing)
    assert causes_of(wide_is_eight, [drawing]) == {HAND: 1}


def test_what_is_read_neither_way_is_laid_to_the_shape(thick_is_eight: Classifier) -> None:
    threes = [draw_digit(3, 0.14, (0, i)) for i in range(5)]
    assert causes_of(thick_is_eight, threes) == {SHAPE: 5}


def test_what_is_read_either_way_is_laid_to_both(shipped: Checkpoint) -> None:
    drawing = bare_one(0.2, slanted=True)
    both = ink_reader(shipped.card, np.abs(np.arange(28) - 14) * np.ones((28, 1)) > 3, limit=18)
    assert is_misread(both, drawing)
    assert causes_of(both, [drawing]) == {EITHER: 1}


def test_without_mistakes_there_are_no_causes(thick_is_eight: Classifier) -> None:
    assert not causes_of(thick_is_eight, [])


def test_another_brush_is_still_the_same_hand_on_the_same_canvas() -> None:
    thin, thick = (draw_digit(7, brush, (3, 4)) for brush in (0.05, 0.2))
    assert (thin.shape, thin.is_inverted, thin.picture.shape) == (thick.shape, thick.is_inverted, thick.picture.shape)
    taught = draw_digit(7, 0.05, (3, 4), is_varied=False)
    assert (taught.shape, taught.picture.shape) == (thin.shape, thin.picture.shape)
    assert (taught.picture != thin.picture).any()
