"""The predictions of trained parameters, by the formulas of `training/model.py`."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS
from inkling.mnist import Split
from inkling.network.checkpoint import SHAPES
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
    split: Split, parameters: Parameters, temperature: float, views: Views | None
) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) for the images of a split, read as a version with these would."""
    first = probabilities_of(split_logits(split, parameters), temperature)
    return reread_unsure(first, split.images, parameters, views)


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


def predict_mean_logits(
    images: NDArray[np.uint8], parameters: Parameters, first: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the mean logits (n, 10) of all views, before the temperature, for images (n, 28, 28).

    Args:
        images: of which the first view is the image itself.
        parameters: of the network.
        first: the logits of the first view, (n, 10); None: they are not known yet.
    """
    first = predict_logits(images, parameters) if first is None else first
    each = [first, *(predict_logits(shifted(images, *shift), parameters) for shift in SHIFTS[1:])]
    mean: NDArray[np.float32] = np.mean(each, axis=0, dtype=np.float32)
    return mean


@dataclass(frozen=True)
class _Network:
    """The parameters of a network, equal to others of the same bytes."""

    digest: bytes
    parameters: Parameters = field(compare=False)

    @classmethod
    def of(cls, parameters: Parameters) -> Self:
        digest = hashlib.sha256()
        for name in SHAPES:
            digest.update(parameters[name].tobytes())
        return cls(digest.digest(), parameters)


def split_logits(split: Split, parameters: Parameters) -> NDArray[np.float32]:
    """Return the logits (n, 10), before the temperature, for the images of a split; read-only.

    A run asks several times how a network reads the held-out images, and each run how the served version does.
    """
    return _split_logits(split, _Network.of(parameters))


@lru_cache(maxsize=4)
def _split_logits(split: Split, network: _Network) -> NDArray[np.float32]:
    values = predict_logits(split.images, network.parameters)
    values.flags.writeable = False
    return values


def predict_logits(images: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
    """Return the logits (n, 10), before the temperature, for images (n, 28, 28)."""
    weights = {name: tf.constant(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    x = scale(tf.reshape(images, [-1, NUM_PIXELS]))
    values: NDArray[np.float32] = logits(x, weights, biases).numpy()
    return values
