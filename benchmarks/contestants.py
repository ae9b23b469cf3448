"""The contestants of `arithmetic`: the classifier, and plain TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from training.model import neural_net

REPEATS = 200


@dataclass(frozen=True)
class Contestant:
    name: str
    run: Callable[[], object]


def prediction_contestants(count: int) -> list[Contestant]:
    """Return the forward passes of the service and of TensorFlow, over `count` images."""
    shipped = load_pretrained()
    classifier = Classifier(shipped, version=1)
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    weights = {name: tf.constant(shipped.parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(shipped.parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    graph = tf.function(neural_net)

    def tensorflow(forward: Callable[..., tf.Tensor]) -> None:
        x = images.reshape(-1, 784).astype(np.float32) / 255
        forward(tf.constant(x), weights, biases).numpy()

    return [
        Contestant("Classifier (NumPy)", repeated(lambda: classifier.probabilities(images))),
        Contestant("TensorFlow, eager", repeated(lambda: tensorflow(neural_net))),
        Contestant("TensorFlow, tf.function", repeated(lambda: tensorflow(graph))),
    ]


def repeated(run: Callable[[], object]) -> Callable[[], None]:
    def many() -> None:
        for _ in range(REPEATS):
            run()

    return many
