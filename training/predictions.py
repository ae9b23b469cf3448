"""The predictions of trained parameters, by the formulas of `training/model.py`."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS
from inkling.network.views import SHIFTS, Views, shifted
from training.model import logits
from training.snapshot import Parameters
from training.trainer import scale


def predict(images: NDArray[np.uint8], parameters: Parameters, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) for images (n, 28, 28)."""
    return probabilities_of(predict_logits(images, parameters), temperature)


def probabilities_of(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) for logits (n, 10)."""
    probabilities: NDArray[np.float32] = tf.nn.softmax(logits / temperature).numpy()
    return probabilities


def predict_served(
    images: NDArray[np.uint8], parameters: Parameters, temperature: float, views: Views | None
) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) for images (n, 28, 28), read as a version with these would."""
    return reread_unsure(predict(images, parameters, temperature), images, parameters, views)


def reread_unsure(
    probabilities: NDArray[np.float32], images: NDArray[np.uint8], parameters: Parameters, views: Views | None
) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) of a first reading of images (n, 28, 28), with unsure images read in views."""
    if views is None:
        return probabilities
    is_unsure = probabilities.max(axis=1) < views.below
    served = probabilities.copy()
    served[is_unsure] = probabilities_of(predict_mean_logits(images[is_unsure], parameters), views.temperature)
    return served


def predict_mean_logits(images: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
    """Return the mean logits (n, 10) of all views, before the temperature, for images (n, 28, 28)."""
    each = [predict_logits(shifted(images, *shift), parameters) for shift in SHIFTS]
    mean: NDArray[np.float32] = np.mean(each, axis=0, dtype=np.float32)
    return mean


def predict_logits(images: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
    """Return the logits (n, 10), before the temperature, for images (n, 28, 28)."""
    weights = {name: tf.constant(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    x = scale(tf.reshape(images, [-1, NUM_PIXELS]))
    values: NDArray[np.float32] = logits(x, weights, biases).numpy()
    return values
