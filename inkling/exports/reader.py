"""Reads digits with the arrays of an Inkling export. It needs NumPy alone; a copy of this file lies in the export."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def predict(
    images: NDArray[np.uint8], arrays: Mapping[str, NDArray[Any]], card: Mapping[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the scores (n, 10), the probabilities of the digits 0 to 9, and the most probable digits (n,).

    Args:
        images: (n, 784), 0 background to 255 foreground.
        arrays: the arrays of the export, by their names.
        card: the checkpoint's card, with its `temperature` and its `views`.
    """
    p = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    x = images.astype(np.float32) / np.float32(255)
    scores = _softmax(_logits(x, p) / np.float32(card["temperature"]))
    if views := card["views"]:
        is_unsure = scores.max(axis=1) < np.float32(views["below"])
        padded = np.pad(x[is_unsure].reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))  # (m, 30, 30)
        each = [padded[:, 1 - down : 29 - down, 1 - right : 29 - right] for down, right in SHIFTS]
        mean = np.mean([_logits(view.reshape(-1, 784), p) for view in each], axis=0)
        scores[is_unsure] = _softmax(mean / np.float32(views["temperature"]))
    return scores, scores.argmax(axis=1)


def _logits(x: NDArray[np.float32], p: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    layer_1 = _sigmoid(x @ p["weights/h1"] + p["biases/b1"])  # (n, 128)
    layer_2 = _sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (n, 256)
    return layer_2 @ p["weights/out"] + p["biases/out"]  # (n, 10)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(0.5 + 0.5 * np.tanh(x / 2), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
