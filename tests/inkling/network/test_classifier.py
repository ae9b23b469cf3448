import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.mnist import Split
from inkling.network.checkpoint import SHAPES, Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.forward import forward, sigmoid
from tests.support.networks import with_digit_probe, with_random_parameters, with_temperature


@pytest.fixture(scope="module")
def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (3000, 28, 28), np.uint8)


@pytest.mark.train
def test_probabilities_equal_those_of_training(
    classifier: Classifier, shipped: Checkpoint, digits: NDArray[np.uint8], noise: NDArray[np.uint8]
) -> None:
    from training.predictions import predict_served

    images = np.concatenate([digits, noise])
    split = Split(images, np.zeros(len(images), np.uint8))
    expected = predict_served(split, shipped.parameters, shipped.card.temperature, shipped.card.views)
    np.testing.assert_allclose(classifier.probabilities(images), expected, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_folded_network_computes_the_plain_forward_pass(
    shipped: Checkpoint, digits: NDArray[np.uint8], noise: NDArray[np.uint8], temperature: float
) -> None:
    # given
    tempered = with_temperature(shipped, temperature)
    images = np.concatenate([digits, noise])
    pixels = (images.reshape(-1, 784) / 255).astype(np.float32)
    # when
    probabilities = Classifier(tempered, version=1).probabilities(images)
    # then: up to float32's rounding of logits of some tens, which noise has
    expected = forward(pixels, tempered.parameters, temperature)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(probabilities[:20], expected[:20], atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 100, 1025, 3000])
def test_image_gets_the_same_probabilities_in_a_batch_of_any_size(
    classifier: Classifier, noise: NDArray[np.uint8], size: int
) -> None:
    batch = classifier.probabilities(noise[:size])
    assert batch.shape == (size, 10)
    assert batch.dtype == np.float32
    for i in {0, size // 2, size - 1}:
        alone = classifier.probabilities(noise[i : i + 1])
        # The bits are the same on the kernels that the classifier was measured on. Another BLAS may differ in the last
        # bits of a logit, and noise has logits of some tens: 4e-6 nats each, and as much in a probability.
        np.testing.assert_allclose(batch[i], alone[0], rtol=1e-5, atol=1e-6)


def test_probabilities_add_up_to_one(classifier: Classifier, noise: NDArray[np.uint8]) -> None:
    probabilities = classifier.probabilities(noise)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_shipped_network_reads_digits_of_a_font(classifier: Classifier, digits: NDArray[np.uint8]) -> None:
    right = (classifier.probabilities(digits).argmax(axis=1) == np.arange(20) % 10).sum()
    assert right >= 10  # unlike MNIST's handwriting; by chance 2 would be right


@pytest.mark.parametrize("scale", [0.0, 1e3, 1e10, 1e30])
def test_extreme_weights_give_probabilities_and_no_warning(
    shipped: Checkpoint, noise: NDArray[np.uint8], scale: float
) -> None:
    classifier = Classifier(with_random_parameters(shipped, scale), version=1)
    classifier.self_check()
    probabilities = classifier.probabilities(noise[:100])
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_weights_whose_sums_overflow_are_refused_without_a_warning(shipped: Checkpoint) -> None:
    parameters = {name: np.full(shape, 3e38, np.float32) for name, shape in SHAPES.items()}
    classifier = Classifier(save(parameters, shipped.card), version=1)
    with pytest.raises(CheckpointError, match="expected 1"):
        classifier.self_check()


@pytest.mark.parametrize("temperature", [0.8, 2.0, 100.0])
def test_temperature_divides_the_logits(shipped: Checkpoint, digits: NDArray[np.uint8], temperature: float) -> None:
    def log_ratio(classifier: Classifier) -> NDArray[np.float32]:
        probabilities = np.log(classifier.probabilities(digits[:5]))
        ratio: NDArray[np.float32] = probabilities - probabilities[:, :1]
        return ratio

    plain, tempered = (
        Classifier(with_temperature(shipped, 1.0), 1),
        Classifier(with_temperature(shipped, temperature), 2),
    )
    np.testing.assert_allclose(log_ratio(tempered), log_ratio(plain) / temperature, rtol=1e-3, atol=1e-3)


def test_temperature_too_small_for_float32_is_refused_without_a_warning(shipped: Checkpoint) -> None:
    classifier = Classifier(with_temperature(shipped, 1e-42), version=1)
    with pytest.raises(CheckpointError, match="expected 1"):
        classifier.self_check()


# the digit probe


@pytest.mark.parametrize("has_units", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_digit_score_is_the_probes_formula_whatever_the_temperature(
    shipped: Checkpoint, digits: NDArray[np.uint8], temperature: float, has_units: bool
) -> None:
    # given
    probed = with_digit_probe(with_temperature(shipped, temperature), bias=-1.0, has_units=has_units)
    p = {name: array.astype(np.float64) for name, array in probed.parameters.items()}
    # when
    scores = Classifier(probed, version=1).read(digits).digit_scores
    # then
    layer_1 = sigmoid(digits.reshape(-1, 784) / 255 @ p["weights/h1"] + p["biases/b1"])
    layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])
    largest = (layer_2 @ p["weights/out"] + p["biases/out"]).max(axis=1, keepdims=True)
    inputs = np.concatenate([layer_1, layer_2, largest], axis=1)
    if has_units:
        inputs = sigmoid(inputs @ p["weights/is_digit_hidden"] + p["biases/is_digit_hidden"])
        inputs = np.concatenate([inputs, largest], axis=1)
    assert scores is not None
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, sigmoid(inputs @ p["weights/is_digit"] + p["biases/is_digit"]), atol=1e-5)


@pytest.mark.parametrize("has_units", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1025, 3000])
def test_image_gets_the_same_digit_score_in_a_batch_of_any_size(
    shipped: Checkpoint, noise: NDArray[np.uint8], digits: NDArray[np.uint8], size: int, has_units: bool
) -> None:
    classifier = Classifier(with_digit_probe(shipped, has_units=has_units), version=1)
    images = np.concatenate([digits, noise])[:size]
    scores = classifier.read(images).digit_scores
    assert scores is not None
    for i in {0, size // 2, size - 1}:
        alone = classifier.read(images[i : i + 1]).digit_scores
        assert alone is not None
        np.testing.assert_allclose(scores[i], alone[0], rtol=1e-5, atol=1e-6)  # as for the probabilities


def test_probabilities_do_not_depend_on_the_digit_probe(shipped: Checkpoint, digits: NDArray[np.uint8]) -> None:
    without = {name: array for name, array in shipped.parameters.items() if name in SHAPES}
    plain, probed = Classifier(save(without, shipped.card), 1), Classifier(with_digit_probe(shipped), 1)
    assert plain.read(digits).digit_scores is None
    assert plain.read(np.concatenate([digits] * 100)).digit_scores is None
    np.testing.assert_array_equal(plain.probabilities(digits), probed.probabilities(digits))


def test_digit_probe_that_overflows_is_refused_without_a_warning(shipped: Checkpoint) -> None:
    probe = {"weights/is_digit": np.full(385, 3e38, np.float32), "biases/is_digit": np.full(1, -3e38, np.float32)}
    network = {name: shipped.parameters[name] for name in SHAPES}
    classifier = Classifier(save({**network, **probe}, shipped.card), version=1)
    with pytest.raises(CheckpointError, match="its digit scores are"):
        classifier.self_check()
