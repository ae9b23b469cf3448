import numpy as np
import pytest

from tests.training.networks import random_parameters

pytestmark = pytest.mark.train


def test_network_is_the_same_in_centred_coordinates() -> None:
    import tensorflow as tf

    from training.centring import MEANS, plain_biases
    from training.model import logits

    # given: a network whose biases are about the means of their inputs, written out
    parameters = random_parameters(1)
    weights = {name: tf.constant(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    x = np.random.default_rng(0).random((5, 784), np.float32)
    layer_1 = tf.nn.sigmoid((x - MEANS["h1"]) @ weights["h1"] + biases["b1"])
    layer_2 = tf.nn.sigmoid((layer_1 - MEANS["h2"]) @ weights["h2"] + biases["b2"])
    expected = (layer_2 - MEANS["out"]) @ weights["out"] + biases["out"]
    # when
    found = logits(tf.constant(x), weights, plain_biases(weights, biases))
    # then
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_centred_training_starts_from_wider_later_layers() -> None:
    from training.centring import start_centred
    from training.model import initial_biases, initial_weights

    weights, biases = initial_weights(seed=0), initial_biases()
    start_centred(weights, biases)
    deviations = {name: float(np.std(weight)) for name, weight in weights.items()}
    assert deviations == pytest.approx({"h1": 0.05, "h2": 0.2, "out": 0.1}, rel=0.05)
    assert np.all(biases["b1"].numpy() == 0)
    assert 0.8 < np.std(biases["b2"].numpy()) < 1.5
