"""The predictions of trained parameters, by the formulas of `training/model.py`."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS
from training.model import logits
from training.snapshot import Parameters
from training.trainer import scale


def predict(images: NDArray[np.uint8], parameters: Parameters, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) for images (n, 28, 28)."""
    probabilities: NDArray[np.float32] = tf.nn.softmax(predict_logits(images, parameters) / temperature).numpy()
    return probabilities


def predict_logits(images: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
    """Return the logits (n, 10), before the temperature, for images (n, 28, 28)."""
    weights = {name: tf.constant(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    x = scale(tf.reshape(images, [-1, NUM_PIXELS]))
    values: NDArray[np.float32] = logits(x, weights, biases).numpy()
    return values
