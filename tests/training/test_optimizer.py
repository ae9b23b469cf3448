import math

import numpy as np
import pytest

from tests.training import reference
from tests.training.networks import random_parameters
from training.recipe import ACCURATE, TUTORIAL

pytestmark = pytest.mark.train


def rate(step: int, **overrides: object) -> float:
    import tensorflow as tf

    from training.optimizer import learning_rate_at

    return float(learning_rate_at(tf.constant(float(step)), ACCURATE.with_overrides(overrides)))


def test_tutorial_keeps_its_step_size() -> None:
    import tensorflow as tf

    from training.optimizer import learning_rate_at

    assert {float(learning_rate_at(tf.constant(float(step)), TUTORIAL)) for step in (0, 1, 2999)} == {
        float(np.float32(0.001))
    }


def test_step_size_warms_up_and_falls_as_a_cosine_to_nothing() -> None:
    recipe = {"learning_rate": 0.01, "warmup_steps": 100, "training_steps": 10_000, "display_step": 100}
    assert rate(0, **recipe) == pytest.approx(0.0001, rel=1e-5)
    assert rate(49, **recipe) == pytest.approx(0.005, rel=1e-4)
    assert rate(5000, **recipe) == pytest.approx(0.005, rel=1e-5)
    assert rate(2500, **recipe) == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi / 4)), rel=1e-5)
    assert rate(9999, **recipe) < 1e-9


def test_adam_takes_the_steps_of_its_paper() -> None:
    import tensorflow as tf

    from training.model import named
    from training.optimizer import Adam

    # given: a network, two batches
    random = np.random.default_rng(0)
    parameters = {name: array.astype(np.float64) for name, array in random_parameters(3).items()}
    weights = {name: tf.Variable(parameters[f"weights/{name}"], dtype=tf.float32) for name in ("h1", "h2", "out")}
    biases = {name: tf.Variable(parameters[f"biases/{name}"], dtype=tf.float32) for name in ("b1", "b2", "out")}
    adam = Adam(weights, biases)
    first = {name: np.zeros_like(array) for name, array in parameters.items()}
    second = {name: np.zeros_like(array) for name, array in parameters.items()}
    for t in range(1, 4):
        x, y = random.random((32, 784)), random.integers(0, 10, 32)
        # when
        adam.run_optimization(
            tf.constant(x, tf.float32), tf.constant(y, tf.int32), tf.constant(t - 1.0), tf.constant(0.01)
        )
        # then: algorithm 1 of the paper, in float64
        for name, gradient in reference.gradients(x, y, parameters).items():
            g = gradient / 32
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g * g
            step = (first[name] / (1 - 0.9**t)) / (np.sqrt(second[name] / (1 - 0.999**t)) + 1e-8)
            parameters[name] = parameters[name] - 0.01 * step
    for name, variable in named(weights, biases).items():
        close = np.isclose(variable.numpy(), parameters[name], rtol=0, atol=2e-4)
        assert close.mean() > 0.999, name  # where a gradient is nearly 0 its sign is that of float32's rounding


def test_average_follows_quickly_at_first_and_slowly_later() -> None:
    import tensorflow as tf

    from training.optimizer import update_averages

    average, variable = {"a": tf.Variable([0.0])}, {"a": tf.Variable([1.0])}
    update_averages(average, variable, tf.constant(0.0), 0.999)
    assert average["a"].numpy() == pytest.approx([0.9])
    update_averages(average, variable, tf.constant(1e6), 0.999)
    assert average["a"].numpy() == pytest.approx([0.9 + 0.1 * 0.001])
