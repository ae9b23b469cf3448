import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.model_card.drawings import Drawing, draw_digit
from inkling.model_card.error_causes import ERROR_CAUSES, count_error_causes
from inkling.model_card.predictions import normalize_or_refuse, predict_normalized
from inkling.network.checkpoint import Card, Checkpoint, save
from inkling.network.classifier import Classifier

BRUSH, HANDWRITING, EITHER, TEMPLATE = ERROR_CAUSES.values()


def counting_network(card: Card, where: NDArray[np.bool_], limit: float) -> Classifier:
    """A network that reads an 8 if more than `limit` foreground pixels lie in a region (28, 28), and else a 1."""
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
    """A 1 whose template is a single upright stroke, in handwriting that slants it or does not."""
    for i in range(1000):
        drawing = draw_digit(1, brush, (0, i))
        rows, columns = np.nonzero(drawing.picture != drawing.picture[0, 0])
        slope = np.ptp(columns) / np.ptp(rows) - brush
        if drawing.template == "bare" and (slope > 0.25 if slanted else slope < 0.1):
            return drawing
    raise AssertionError("no seed draws it so")


def is_misread(classifier: Classifier, drawing: Drawing) -> bool:
    predictions = predict_normalized(classifier, normalize_or_refuse([drawing.picture]))
    return predictions.correct(np.array([drawing.label])) == 0


@pytest.fixture
def thick_is_eight(shipped: Checkpoint) -> Classifier:
    return counting_network(shipped.card, np.ones((28, 28), np.bool_), limit=55)


@pytest.fixture
def wide_is_eight(shipped: Checkpoint) -> Classifier:
    return counting_network(shipped.card, np.abs(np.arange(28) - 14) * np.ones((28, 1)) > 3, limit=2)


def test_error_that_a_standard_brush_removes_is_caused_by_the_brush(thick_is_eight: Classifier) -> None:
    drawing = bare_one(0.2, slanted=False)
    assert is_misread(thick_is_eight, drawing)
    assert count_error_causes(thick_is_eight, [drawing]) == {BRUSH: 1}


def test_error_that_the_plain_template_removes_is_caused_by_the_handwriting(wide_is_eight: Classifier) -> None:
    drawing = bare_one(0.08, slanted=True)
    assert is_misread(wide_is_eight, drawing)
    assert count_error_causes(wide_is_eight, [drawing]) == {HANDWRITING: 1}


def test_error_that_neither_removes_is_caused_by_the_template(thick_is_eight: Classifier) -> None:
    threes = [draw_digit(3, 0.14, (0, i)) for i in range(5)]
    assert count_error_causes(thick_is_eight, threes) == {TEMPLATE: 5}


def test_error_that_either_removes_is_caused_by_both(shipped: Checkpoint) -> None:
    drawing = bare_one(0.2, slanted=True)
    both = counting_network(shipped.card, np.abs(np.arange(28) - 14) * np.ones((28, 1)) > 3, limit=18)
    assert is_misread(both, drawing)
    assert count_error_causes(both, [drawing]) == {EITHER: 1}


def test_without_mistakes_there_are_no_causes(thick_is_eight: Classifier) -> None:
    assert not count_error_causes(thick_is_eight, [])


def test_handwriting_and_canvas_do_not_depend_on_the_brush() -> None:
    thin, thick = (draw_digit(7, brush, (3, 4)) for brush in (0.05, 0.2))
    assert (thin.template, thin.is_light_on_dark, thin.picture.shape) == (
        thick.template,
        thick.is_light_on_dark,
        thick.picture.shape,
    )
    plain = draw_digit(7, 0.05, (3, 4), is_varied=False)
    assert (plain.template, plain.picture.shape) == (thin.template, thin.picture.shape)
    assert (plain.picture != thin.picture).any()
