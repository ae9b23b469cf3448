import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.recipe import ACCURATE, TUTORIAL
from tests.support.networks import random_parameters

pytestmark = pytest.mark.train


def tensors(gradients: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(gradient, tf.float32) for name, gradient in gradients.items()}


def rate(step: int, **overrides: object) -> float:
    import tensorflow as tf

    from training.optimizer import factor_at

    recipe = ACCURATE.with_overrides(overrides)
    return float(learning_rate(recipe.learning_rate, factor_at(tf.constant(float(step)), recipe)).value())


def learning_rate(maximum: float, factor: float = 1.0) -> Any:
    import tensorflow as tf

    from training.optimizer import LearningRate

    return LearningRate(tf.constant(maximum), tf.constant(factor))


def test_tutorial_keeps_its_step_size() -> None:
    import tensorflow as tf

    from training.optimizer import factor_at

    assert {float(factor_at(tf.constant(float(step)), TUTORIAL)) for step in (0, 1, 2999)} == {1.0}


def test_step_size_warms_up_and_then_falls_to_zero_along_a_cosine() -> None:
    recipe = {"learning_rate": 0.01, "warmup_steps": 100, "training_steps": 10_000, "display_step": 100}
    assert rate(0, **recipe) == pytest.approx(0.0001, rel=1e-5)
    assert rate(49, **recipe) == pytest.approx(0.005, rel=1e-4)
    assert rate(5000, **recipe) == pytest.approx(0.005, rel=1e-5)
    assert rate(2500, **recipe) == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi / 4)), rel=1e-5)
    assert rate(9999, **recipe) < 1e-9


def test_adam_takes_the_steps_of_its_paper() -> None:
    import tensorflow as tf

    from training.optimizer import Adam

    # given: variables
    random = np.random.default_rng(0)
    parameters = {name: array.astype(np.float64) for name, array in random_parameters(3).items()}
    variables = {name: tf.Variable(array, dtype=tf.float32) for name, array in parameters.items()}
    adam = Adam(variables)
    first = {name: np.zeros_like(array) for name, array in parameters.items()}
    second = {name: np.zeros_like(array) for name, array in parameters.items()}
    for t in range(1, 4):
        gradients = {name: random.standard_normal(array.shape) for name, array in parameters.items()}
        # when
        adam.update(tensors(gradients), tf.constant(t - 1.0), learning_rate(0.01))
        # then: algorithm 1 of the paper, in float64
        for name, g in gradients.items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g * g
            step = (first[name] / (1 - 0.9**t)) / (np.sqrt(second[name] / (1 - 0.999**t)) + 1e-8)
            parameters[name] = parameters[name] - 0.01 * step
    for name, variable in variables.items():
        np.testing.assert_allclose(variable.numpy(), parameters[name], rtol=0, atol=1e-5, err_msg=name)


def test_muon_takes_the_steps_of_its_authors() -> None:
    """Jordan's zeropower_via_newtonschulz5 in float64, scaled as by Liu et al., and Adam outside the hidden layers."""
    import tensorflow as tf

    from training.optimizer import Adam, Muon

    def zeropower(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
        x = x / np.linalg.norm(x)
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        return x.T if matrix.shape[0] > matrix.shape[1] else x

    # given: the same variables for both
    random = np.random.default_rng(0)
    parameters = {name: array.astype(np.float64) for name, array in random_parameters(3).items()}
    variables, others = (
        {name: tf.Variable(array, dtype=tf.float32) for name, array in parameters.items()} for _ in range(2)
    )
    muon, adam = Muon(variables), Adam(others)
    momenta = {name: np.zeros(parameters[name].shape) for name in ("weights/h1", "weights/h2")}
    for t in range(1, 4):
        gradients = {name: random.standard_normal(array.shape) for name, array in parameters.items()}
        # when
        for optimizer in (muon, adam):
            optimizer.update(tensors(gradients), tf.constant(t - 1.0), learning_rate(0.01))
        # then
        for name, momentum in momenta.items():
            momentum[:] = 0.95 * momentum + 0.05 * gradients[name]
            nesterov = 0.95 * momentum + 0.05 * gradients[name]
            step = 0.2 * math.sqrt(max(momentum.shape)) * zeropower(nesterov)
            parameters[name] = parameters[name] - 0.01 * step
            np.testing.assert_allclose(variables[name].numpy(), parameters[name], rtol=0, atol=1e-4, err_msg=name)
        for name in parameters.keys() - momenta.keys():
            np.testing.assert_array_equal(variables[name].numpy(), others[name].numpy(), err_msg=name)


@pytest.mark.parametrize("shape", [(784, 128), (128, 256), (5, 5)])
def test_orthogonalized_matrix_has_nearly_equal_singular_values(shape: tuple[int, int]) -> None:
    import tensorflow as tf

    from training.optimizer import orthogonalized

    matrix = np.random.default_rng(0).standard_normal(shape) @ np.diag(np.geomspace(1, 0.05, shape[1]))
    before = np.linalg.svd(matrix, compute_uv=False)
    values = np.linalg.svd(orthogonalized(tf.constant(matrix, tf.float32)).numpy(), compute_uv=False)
    assert before.max() > 10 * before.min()
    assert 0.6 < values.min() < values.max() < 1.3


def test_weight_decay_subtracts_a_share_of_the_weights() -> None:
    import tensorflow as tf

    from training.optimizer import decay_weights

    weights = {"h1": tf.Variable([1.0, -2.0])}
    decay_weights(weights, tf.constant(0.25))
    assert weights["h1"].numpy().tolist() == [0.75, -1.5]


def test_average_follows_its_variable_fast_at_first_and_slowly_later() -> None:
    import tensorflow as tf

    from training.optimizer import update_averages

    average, variable = {"a": tf.Variable([0.0])}, {"a": tf.Variable([1.0])}
    update_averages(average, variable, tf.constant(0.0), 0.999)
    assert average["a"].numpy() == pytest.approx([0.9])
    update_averages(average, variable, tf.constant(1e6), 0.999)
    assert average["a"].numpy() == pytest.approx([0.9 + 0.1 * 0.001])
