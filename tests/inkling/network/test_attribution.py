from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling import mnist
from inkling.digit import Gray
from inkling.network.attribution import Explanation, explain
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.classifier import Classifier
from tests.support.networks import MAX_SUM_ERROR, with_random_parameters, with_temperature
from tests.support.reference import layers

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def classifier(shipped: Checkpoint) -> Classifier:
    """The network that ships, without views: `test_views.py` has them."""
    return Classifier(shipped, version=1).single_view()


def logits(x: Array, shipped: Checkpoint) -> Array:
    """Return the centered logits (n, 10) of images (n, 784), 0 to 1, after the temperature.

    By the reference with which TensorFlow is compared.
    """
    p = {name: array.astype(np.float64) for name, array in shipped.parameters.items()}
    _, layer_2, _ = layers(x, p)
    by_reference: Array = (layer_2 @ p["weights/out"] + p["biases/out"]) / shipped.card.temperature
    return by_reference - by_reference.mean(axis=1, keepdims=True)


def sum_error(explanation: Explanation) -> float:
    """Return the difference between the sum of the contributions and what it must be, in nats."""
    return abs(explanation.contributions.sum() - (explanation.logit - explanation.baseline_logit))


@pytest.mark.parametrize("digit", range(10))
def test_logits_are_the_networks(classifier: Classifier, shipped: Checkpoint, digits: Gray, digit: int) -> None:
    explanation = explain(classifier, digits[digit], digit)
    expected = logits(np.stack([np.zeros(784), digits[digit].reshape(784) / 255]), shipped)[:, digit]
    assert explanation.digit == digit
    assert [explanation.baseline_logit, explanation.logit] == pytest.approx(expected.tolist(), abs=1e-12)


def test_contributions_are_the_gradients_of_the_path_times_the_pixels(
    classifier: Classifier, shipped: Checkpoint, digits: Gray
) -> None:
    """By finite differences of the reference at 2,000 points of the path, without any formula of the code."""
    x = digits[7].reshape(784) / 255
    path = (np.arange(2000) + 0.5)[:, np.newaxis] / 2000 * x  # (2000, 784)
    contributions = explain(classifier, digits[7], 9).contributions.reshape(784)
    step = 1e-5
    for pixel in np.argsort(-np.abs(contributions))[[0, 1, 2, 10, 50]]:
        ahead, behind = path.copy(), path.copy()
        ahead[:, pixel] += step
        behind[:, pixel] -= step
        slopes = (logits(ahead, shipped)[:, 9] - logits(behind, shipped)[:, 9]) / (2 * step)
        assert contributions[pixel] == pytest.approx(x[pixel] * slopes.mean(), rel=1e-4)


@pytest.mark.parametrize("digit", range(10))
def test_contributions_add_up_to_the_change_of_the_logit(classifier: Classifier, digits: Gray, digit: int) -> None:
    for image in digits:
        assert sum_error(explain(classifier, image, digit)) < MAX_SUM_ERROR


def test_contributions_of_a_sharp_network_add_up_as_exactly(shipped: Checkpoint, digits: Gray) -> None:
    """With 48 nodes they miss their sum by 0.04 nats."""
    sharp = {name: array * 4 for name, array in shipped.parameters.items() if name in ("weights/h1", "biases/b1")}
    parameters = {**shipped.parameters, **sharp, "weights/h2": shipped.parameters["weights/h2"] * 4}
    classifier = Classifier(save(parameters, shipped.card), 1).single_view()
    assert sum_error(explain(classifier, digits[7], 7)) < 1e-9


def test_difference_of_two_digits_is_the_change_of_their_log_odds(classifier: Classifier, digits: Gray) -> None:
    blank, read = np.log(classifier.probabilities(np.stack([np.zeros((28, 28), np.uint8), digits[7]])))
    difference = explain(classifier, digits[7], 7).contributions - explain(classifier, digits[7], 9).contributions
    assert difference.sum() == pytest.approx((read[7] - read[9]) - (blank[7] - blank[9]), abs=1e-4)


def test_background_contributes_nothing_and_foreground_something(classifier: Classifier, digits: Gray) -> None:
    contributions = explain(classifier, digits[3], 3).contributions
    assert contributions.shape == (28, 28)
    assert (contributions[digits[3] == 0] == 0).all()
    assert not np.signbit(contributions[digits[3] == 0]).any()  # JSON would show -0.0
    assert (contributions[digits[3] > 0] != 0).all()


def test_blank_image_has_nothing_to_explain(classifier: Classifier) -> None:
    explanation = explain(classifier, np.zeros((28, 28), np.uint8), 0)
    assert explanation.logit == pytest.approx(explanation.baseline_logit, rel=1e-12)
    assert not explanation.contributions.any()


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_temperature_divides_logits_and_contributions(shipped: Checkpoint, digits: Gray, temperature: float) -> None:
    plain = explain(Classifier(with_temperature(shipped, 1.0), 1), digits[5], 5)
    tempered = explain(Classifier(with_temperature(shipped, temperature), 2), digits[5], 5)
    assert tempered.logit == pytest.approx(plain.logit / temperature)
    assert tempered.baseline_logit == pytest.approx(plain.baseline_logit / temperature)
    np.testing.assert_allclose(tempered.contributions, plain.contributions / temperature)


def test_same_image_gets_the_same_bits(classifier: Classifier, shipped: Checkpoint, digits: Gray) -> None:
    first, again = explain(classifier, digits[2], 2), explain(Classifier(shipped, 2), digits[2].copy(), 2)
    assert first.contributions.tobytes() == again.contributions.tobytes()
    assert (first.logit, first.baseline_logit) == (again.logit, again.baseline_logit)


@pytest.mark.parametrize("scale", [0.0, 1e3, 1e10, 1e30, 1e37])
def test_extreme_weights_give_numbers_and_no_warning(shipped: Checkpoint, digits: Gray, scale: float) -> None:
    explanation = explain(Classifier(with_random_parameters(shipped, scale), 1), digits[1], 1)
    assert np.isfinite(explanation.contributions).all()
    assert np.isfinite([explanation.logit, explanation.baseline_logit]).all()


@pytest.mark.mnist
def test_contributions_of_real_digits_add_up(classifier: Classifier, real_mnist_dir: Path) -> None:
    images = mnist.read_folder(real_mnist_dir).test.images[:300]
    orders = classifier.probabilities(images).argsort(axis=1)
    for image, order in zip(images, orders, strict=True):
        assert sum_error(explain(classifier, image, int(order[-1]))) < MAX_SUM_ERROR
        assert sum_error(explain(classifier, image, int(order[-2]))) < MAX_SUM_ERROR


@pytest.mark.mnist
def test_erasing_evidence_costs_more_confidence_than_erasing_other_pixels(
    classifier: Classifier, real_mnist_dir: Path
) -> None:
    """The erased pixels are the tenth of the foreground that contributes most, or as many chosen at random."""
    images = mnist.read_folder(real_mnist_dir).test.images[:200]
    random = np.random.default_rng(0)
    most, other = images.reshape(-1, 784).copy(), images.reshape(-1, 784).copy()
    winners = classifier.probabilities(images).argmax(axis=1)
    for i, (image, winner) in enumerate(zip(images, winners, strict=True)):
        contributions = explain(classifier, image, int(winner)).contributions.reshape(784)
        foreground = np.flatnonzero(image)
        count = len(foreground) // 10
        most[i, foreground[np.argsort(-contributions[foreground])[:count]]] = 0
        other[i, random.choice(foreground, count, replace=False)] = 0
    rows = np.arange(len(images))
    confidences, others = (classifier.probabilities(left)[rows, winners].mean() for left in (most, other))
    assert 1 - confidences > 3 * (1 - others)
