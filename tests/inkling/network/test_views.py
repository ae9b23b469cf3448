"""Views: shifted images and weights, and what a version with views reads, explains and scores."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from inkling.errors import CheckpointError
from inkling.network.attribution import explain
from inkling.network.checkpoint import Checkpoint, load
from inkling.network.classifier import Classifier
from inkling.network.forward import forward
from inkling.network.views import SHIFTS, Views, shifted, shifted_weights
from tests.support.digits import make_digits
from tests.support.networks import MAX_SUM_ERROR, with_temperature, with_views

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def images() -> Images:
    """Digits (60, 28, 28), every second one faint under noise, so that the network is sure of some only."""
    digits = make_digits(60, seed=5)[0]
    noise = np.random.default_rng(6).integers(0, 200, digits.shape, np.uint8)
    return np.where(np.arange(60)[:, None, None] % 2, digits, np.maximum(digits // 3, noise // 2))


@pytest.fixture(scope="module")
def viewed(shipped: Checkpoint) -> Checkpoint:
    return with_views(shipped, temperature=0.8)


@pytest.fixture(scope="module")
def once(viewed: Checkpoint) -> Classifier:
    return Classifier(viewed, version=1).single_view()


def are_unsure(once: Classifier, images: Images) -> NDArray[np.bool_]:
    is_unsure: NDArray[np.bool_] = once.probabilities(images).max(axis=1) < 0.97
    assert 10 < is_unsure.sum() < len(images) - 10
    return is_unsure


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (2, -3)])
def test_shift_moves_each_pixel_and_loses_those_that_leave(down: int, right: int) -> None:
    images = np.random.default_rng(0).integers(1, 256, (2, 28, 28), np.uint8)
    moved = shifted(images, down, right)
    for row, column in ((0, 0), (14, 14), (27, 27), (0, 27)):
        inside = 0 <= row - down < 28 and 0 <= column - right < 28
        expected = images[:, row - down, column - right] if inside else np.zeros(2)
        np.testing.assert_array_equal(moved[:, row, column], expected)


@pytest.mark.parametrize("shift", SHIFTS)
def test_shifted_weights_read_an_image_as_the_weights_read_its_shift(shift: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    images, weights = random.random((3, 28, 28)), random.normal(0, 1, (784, 5))
    expected = shifted(images, *shift).reshape(3, 784) @ weights
    np.testing.assert_allclose(images.reshape(3, 784) @ shifted_weights(weights, *shift), expected, atol=1e-12)


@pytest.mark.parametrize("values", [{"temperature": 0}, {"temperature": 101}, {"temperature": "NaN"}, {}])
def test_views_need_a_temperature_within_bounds(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="temperature"):
        Views.model_validate(values)


@pytest.mark.parametrize("below", [0, 1.1, "NaN"])
def test_confidence_of_views_is_a_share(below: float) -> None:
    with pytest.raises(ValidationError, match="below"):
        Views.model_validate({"temperature": 1, "below": below})


def test_checkpoint_keeps_its_views(viewed: Checkpoint) -> None:
    assert load(viewed.content).card.views == Views(below=0.97, temperature=0.8)


@pytest.mark.parametrize("below", [0.5, 0.97, 1.0])
def test_classifier_computes_the_plain_forward_pass_of_views(shipped: Checkpoint, images: Images, below: float) -> None:
    # given
    viewed = with_views(shipped, temperature=1.3, below=below)
    parameters = {name: array.astype(np.float64) for name, array in viewed.parameters.items()}
    # when
    probabilities = Classifier(viewed, version=1).probabilities(images)
    # then
    expected = forward(images.reshape(-1, 784) / 255, parameters, viewed.card.temperature, viewed.card.views)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_only_unsure_images_are_read_in_views(viewed: Checkpoint, once: Classifier, images: Images) -> None:
    is_unsure = are_unsure(once, images)
    is_same = (Classifier(viewed, version=1).probabilities(images) == once.probabilities(images)).all(axis=1)
    np.testing.assert_array_equal(is_same, ~is_unsure)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 59])
def test_image_gets_the_same_probabilities_in_a_batch_of_any_size(
    viewed: Checkpoint, images: Images, size: int
) -> None:
    classifier = Classifier(viewed, version=1)
    together = classifier.probabilities(images)
    for i in range(0, len(images) - size, size):
        batch = classifier.probabilities(images[i : i + size])
        np.testing.assert_allclose(batch, together[i : i + size], rtol=1e-5, atol=1e-6)  # as in test_classifier.py


def test_version_without_views_reads_every_image_once(shipped: Checkpoint, images: Images) -> None:
    plain = Classifier(with_temperature(shipped, 1.0), version=1).single_view()
    assert plain.single_view() is plain
    assert plain.evaluate(images, np.zeros(60, np.uint8)).single_view is None


def test_evaluation_has_the_scores_with_and_without_views(viewed: Checkpoint, once: Classifier, images: Images) -> None:
    labels = make_digits(60, seed=5)[1]
    evaluation = Classifier(viewed, version=1).evaluate(images, labels)
    first = once.evaluate(images, labels)
    assert evaluation.single_view is not None
    assert evaluation.single_view.model_dump() == first.model_dump(include=evaluation.single_view.model_fields_set)
    assert evaluation.loss != first.loss


@pytest.mark.parametrize("temperature", [1e-42, 1e-44])
def test_views_whose_temperature_is_too_small_for_float32_are_refused(shipped: Checkpoint, temperature: float) -> None:
    classifier = Classifier(with_views(shipped, temperature=temperature), version=1)
    with pytest.raises(CheckpointError, match="expected 1"):
        classifier.self_check()


def test_explanation_of_an_unsure_image_is_that_of_its_views(
    viewed: Checkpoint, once: Classifier, images: Images
) -> None:
    # given
    classifier = Classifier(viewed, version=1)
    is_unsure = are_unsure(once, images)
    unsure, sure = images[is_unsure][0], images[~is_unsure][0]
    # when
    logits = np.array([explain(classifier, unsure, digit).logit for digit in range(10)])
    # then: the logits are those of the served probabilities, the contributions sum to their change, a sure image is
    # explained as without views
    served = np.log(classifier.probabilities(unsure[np.newaxis])[0].astype(np.float64))
    np.testing.assert_allclose(logits, served - served.mean(), atol=1e-3)
    explanation = explain(classifier, unsure, 3)
    change = explanation.logit - explanation.baseline_logit
    assert explanation.contributions.sum() == pytest.approx(change, abs=10 * MAX_SUM_ERROR)
    np.testing.assert_array_equal(explain(classifier, sure, 3).contributions, explain(once, sure, 3).contributions)
