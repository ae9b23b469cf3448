import math

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.checkpoint import SHAPES
from tests.support import reference
from tests.support.networks import Parameters, random_parameters
from tests.support.trainings import random_batch, values_of, variables_of

pytestmark = pytest.mark.train

TOLERANCE = 1e-4


def test_initial_weights_are_those_of_the_tutorials_initializer_bit_for_bit() -> None:
    import tensorflow as tf

    from training.model import initial_weights

    for seed in (0, 7, 2**31 - 3):
        for layer, weight in enumerate(initial_weights(seed).values()):
            published = tf.initializers.RandomNormal(seed=seed + layer)(weight.shape)
            np.testing.assert_array_equal(weight.numpy(), published.numpy())


def network(scale: float = 1.0) -> Parameters:
    """Return a seeded network; a larger scale makes it more confident."""
    return {name: array * np.float32(scale) for name, array in random_parameters(seed=5).items()}


def in_double(parameters: Parameters) -> dict[str, reference.Array]:
    return {name: array.astype(np.float64) for name, array in parameters.items()}


def probabilities_and_loss(
    x: NDArray[np.float32], y: NDArray[np.int64], parameters: Parameters
) -> tuple[NDArray[np.float32], float]:
    """Return the probabilities and the loss that the TensorFlow code computes."""
    import tensorflow as tf

    from training.model import cross_entropy, neural_net

    weights, biases = variables_of(parameters)
    pred = neural_net(tf.constant(x), weights, biases)
    return pred.numpy(), float(cross_entropy(pred, tf.constant(y)))


def gradients(x: NDArray[np.float32], y: NDArray[np.int64], parameters: Parameters) -> Parameters:
    """Return the gradients of the TensorFlow code's loss."""
    import tensorflow as tf

    from training.model import cross_entropy, neural_net

    weights, biases = variables_of(parameters)
    with tf.GradientTape() as tape:
        loss = cross_entropy(neural_net(tf.constant(x), weights, biases), tf.constant(y))
    named = {f"weights/{name}": variable for name, variable in weights.items()}
    named |= {f"biases/{name}": variable for name, variable in biases.items()}
    return {name: gradient.numpy() for name, gradient in tape.gradient(loss, named).items()}


def after_one_step(
    x: NDArray[np.float32], y: NDArray[np.int64], parameters: Parameters, learning_rate: float
) -> Parameters:
    """Return the parameters after one call of `run_optimization`."""
    import tensorflow as tf

    from training.model import run_optimization

    weights, biases = variables_of(parameters)
    run_optimization(tf.constant(x), tf.constant(y), weights, biases, tf.optimizers.SGD(learning_rate))
    return values_of(weights, biases)


def assert_close(actual: NDArray[np.float32], expected: reference.Array) -> None:
    largest = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE * largest)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_probabilities_and_loss_are_those_of_the_formulas(scale: float) -> None:
    x, y = random_batch()
    pred, loss = probabilities_and_loss(x, y, network(scale))
    _, _, expected = reference.layers(x.astype(np.float64), in_double(network(scale)))
    assert pred.shape == (64, 10)
    assert pred.dtype == np.float32
    assert_close(pred, expected)
    np.testing.assert_allclose(pred.sum(axis=1), 1, rtol=1e-6)
    assert loss == pytest.approx(reference.loss(expected, y), rel=TOLERANCE)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_every_gradient_is_that_of_the_formulas(scale: float) -> None:
    x, y = random_batch()
    expected = reference.gradients(x.astype(np.float64), y, in_double(network(scale)))
    actual = gradients(x, y, network(scale))
    assert actual.keys() == expected.keys() == SHAPES.keys()
    for name, gradient in actual.items():
        assert_close(gradient, expected[name])


def test_reference_gradients_are_the_slopes_of_the_reference_loss() -> None:
    # given: the reference itself, compared with central differences
    x, y = random_batch(8)
    parameters = in_double(network())
    analytic = reference.gradients(x.astype(np.float64), y, parameters)
    for name, array in parameters.items():
        index = np.unravel_index(int(np.abs(analytic[name]).argmax()), array.shape)
        losses = []
        for shift in (1e-5, -1e-5):
            shifted = {**parameters, name: array.copy()}
            shifted[name][index] += shift
            losses.append(reference.loss(reference.layers(x.astype(np.float64), shifted)[2], y))
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(analytic[name][index], rel=1e-5)


def confident_and_wrong() -> tuple[NDArray[np.float32], NDArray[np.int64], Parameters]:
    """Return a batch and a network that gives the label of every second image a probability far below the clip."""
    x, _ = random_batch(8)
    parameters = network()
    parameters["biases/out"][:] = 0
    parameters["biases/out"][3] = 60.0  # e^-60 is 1e-26
    return x, np.array([3, 4] * 4), parameters


def test_probabilities_are_clipped_at_a_billionth() -> None:
    x, y, parameters = confident_and_wrong()
    pred, loss = probabilities_and_loss(x, y, parameters)
    assert pred[1, 4] < 1e-9
    assert loss == pytest.approx(4 * -math.log(1e-9), rel=TOLERANCE)


def test_clipped_image_has_no_gradient() -> None:
    # given: of two images one is clipped, the other not
    x, y, parameters = confident_and_wrong()
    parameters["biases/out"][3] = 5.0  # confident, but above the clip
    parameters["biases/out"][4] = -60.0
    expected = reference.gradients(x.astype(np.float64), y, in_double(parameters))
    only_others = reference.gradients(x[::2].astype(np.float64), y[::2], in_double(parameters))
    # then
    for name, gradient in gradients(x, y, parameters).items():
        assert_close(gradient, expected[name])
        assert_close(gradient, only_others[name])


def test_loss_of_a_label_with_probability_zero_is_finite() -> None:
    import tensorflow as tf

    from training.model import cross_entropy

    pred = tf.one_hot([3], 10)
    assert float(cross_entropy(pred, tf.constant([4]))) == pytest.approx(-math.log(1e-9), rel=1e-6)
    assert float(cross_entropy(pred, tf.constant([3]))) == 0


def test_loss_is_summed_over_the_random_batch() -> None:
    x, y = random_batch(16)
    _, once = probabilities_and_loss(x, y, network())
    _, twice = probabilities_and_loss(np.concatenate([x, x]), np.concatenate([y, y]), network())
    assert twice == pytest.approx(2 * once, rel=1e-5)


def test_loss_of_a_network_that_guesses_is_the_logarithm_of_ten() -> None:
    x, y = random_batch(16)
    _, loss = probabilities_and_loss(x, y, {name: array * 0 for name, array in network().items()})
    assert loss == pytest.approx(16 * math.log(10), rel=1e-6)


@pytest.mark.parametrize(("learning_rate", "images"), [(0.001, 64), (0.1, 64), (0.1, 33), (0.1, 1)])
def test_one_step_goes_down_the_gradient_of_all_images(learning_rate: float, images: int) -> None:
    x, y = random_batch(images)
    before = network()
    expected = reference.gradients(x.astype(np.float64), y, in_double(before))
    for name, array in after_one_step(x, y, before, learning_rate).items():
        np.testing.assert_allclose(array, before[name] - learning_rate * expected[name], rtol=TOLERANCE, atol=1e-6)


def test_accuracy_is_the_share_of_largest_entries_at_the_label() -> None:
    import tensorflow as tf

    from training.model import accuracy

    pred = tf.constant(np.eye(10, dtype=np.float32)[[1, 2, 3, 4]])
    assert float(accuracy(pred, tf.constant([1, 2, 3, 9]))) == 0.75
    assert float(accuracy(pred, tf.constant([1, 2, 3, 4], tf.uint8))) == 1
    assert float(accuracy(pred, tf.constant([0, 0, 0, 0], tf.int64))) == 0


def test_new_network_has_the_tutorials_weights_and_biases() -> None:
    from training.model import initial_biases, initial_weights

    weights, biases = initial_weights(seed=0), initial_biases()
    shapes = {f"weights/{name}": tuple(variable.shape) for name, variable in weights.items()}
    shapes |= {f"biases/{name}": tuple(variable.shape) for name, variable in biases.items()}
    assert shapes == SHAPES
    for variable in weights.values():
        values = variable.numpy()
        error = 0.05 / math.sqrt(values.size)
        assert abs(values.mean()) < 5 * error
        assert abs(values.std() - 0.05) < 5 * error
        assert values.dtype == np.float32
    assert all((variable.numpy() == 0).all() for variable in biases.values())


def test_seed_determines_the_initial_weights() -> None:
    from training.model import initial_weights

    first, again, other = (
        {name: variable.numpy() for name, variable in initial_weights(seed).items()} for seed in (7, 7, 8)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert not np.array_equal(array, other[name])


def test_layers_do_not_share_their_random_numbers() -> None:
    from training.model import initial_weights

    weights = [variable.numpy().ravel() for variable in initial_weights(seed=0).values()]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        size = min(len(weights[one]), len(weights[other]))
        assert abs(np.corrcoef(weights[one][:size], weights[other][:size])[0, 1]) < 0.1
