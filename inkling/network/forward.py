"""The forward pass of the network, as it is defined. `Classifier` computes the same, folded for speed."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE
from inkling.network.views import SHIFTS, Views, shifted

F = TypeVar("F", np.float32, np.float64)


def forward(
    x: NDArray[F], p: Mapping[str, NDArray[F]], temperature: float = 1.0, views: Views | None = None
) -> NDArray[F]:
    """Return the probabilities (n, 10) of images.

    Args:
        x: images (n, 784), 0 background to 1 foreground.
        p: the parameters by their names in a checkpoint, of the same dtype as x.
        temperature: the one on the checkpoint's card; it divides the logits.
        views: those on the card; None: it has none.
    """
    probabilities = softmax(logits(x, p) / temperature)
    if views:
        is_unsure = probabilities.max(axis=1) < views.below
        images = x[is_unsure].reshape(-1, SIDE, SIDE)
        each = [logits(shifted(images, *shift).reshape(-1, NUM_PIXELS), p) for shift in SHIFTS]
        probabilities[is_unsure] = softmax(np.mean(each, axis=0) / views.temperature)
    return probabilities


def logits(x: NDArray[F], p: Mapping[str, NDArray[F]]) -> NDArray[F]:
    """Return the logits (n, 10) of images, with the arguments of `forward`."""
    layer_1 = sigmoid(x @ p["weights/h1"] + p["biases/b1"])  # (n, 128)
    layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (n, 256)
    return layer_2 @ p["weights/out"] + p["biases/out"]  # (n, 10)


def sigmoid(x: NDArray[F]) -> NDArray[F]:
    """Return 1 / (1 + exp(-x)), in a form that cannot overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(x / 2), x.dtype)


def softmax(logits: NDArray[F]) -> NDArray[F]:
    """Return the exponentials of logits (n, 10), each row divided by its sum."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))  # the shift keeps exp from overflowing
    probabilities: NDArray[F] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
