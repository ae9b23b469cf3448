"""The network in NumPy, in double precision: the formulas that tests compare the TensorFlow code with.

Sources: the tutorial's text for the forward pass; Bishop, Pattern Recognition and Machine Learning, section 5.3, for
the gradients of a network of sigmoids under softmax and cross-entropy.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALLEST = 1e-9
"""Probabilities are clipped at this value; below it the loss is constant, so its gradient is 0."""


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def layers(x: Array, p: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Return both hidden layers, (batch, 128) and (batch, 256), and the probabilities (batch, 10)."""
    layer_1 = sigmoid(x @ p["weights/h1"] + p["biases/b1"])
    layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])
    return layer_1, layer_2, softmax(layer_2 @ p["weights/out"] + p["biases/out"])


def loss(probabilities: Array, y: NDArray[np.int64]) -> float:
    """Return the cross-entropy summed over the batch."""
    return float(-np.log(np.clip(probabilities[np.arange(len(y)), y], SMALLEST, 1)).sum())


def gradients(x: Array, y: NDArray[np.int64], p: dict[str, Array]) -> dict[str, Array]:
    """Return the gradient of the loss for every parameter, summed over the batch."""
    layer_1, layer_2, probabilities = layers(x, p)
    is_clipped = probabilities[np.arange(len(y)), y] < SMALLEST
    d_out = probabilities - np.eye(10)[y]  # (batch, 10)
    d_out[is_clipped] = 0
    d_2 = d_out @ p["weights/out"].T * layer_2 * (1 - layer_2)  # (batch, 256)
    d_1 = d_2 @ p["weights/h2"].T * layer_1 * (1 - layer_1)  # (batch, 128)
    return {
        "weights/h1": x.T @ d_1,
        "weights/h2": layer_1.T @ d_2,
        "weights/out": layer_2.T @ d_out,
        "biases/b1": d_1.sum(axis=0),
        "biases/b2": d_2.sum(axis=0),
        "biases/out": d_out.sum(axis=0),
    }
