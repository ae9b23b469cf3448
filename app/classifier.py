"""One checkpoint, ready to read digits: the forward pass in NumPy."""

import numpy as np
from numpy.typing import NDArray

from training.checkpoint import Checkpoint, CheckpointError

CHUNK = 1024
"""Images to a matrix multiplication: past this it gets no faster, only larger."""

HALF = 784 // 2

Floats = NDArray[np.float32]


class Classifier:
    """A version of the network. Immutable, so that a request is answered by one version wholly."""

    def __init__(self, checkpoint: Checkpoint, version: int) -> None:
        self.checkpoint = checkpoint
        self.version = version
        self._weights = {name: checkpoint.parameters[f"weights/{name}"] for name in ("h1", "h2", "out")}
        self._biases = {name: checkpoint.parameters[f"biases/{name}"] for name in ("b1", "b2", "out")}
        self._temperature = np.float32(checkpoint.card.temperature)

    def probabilities(self, images: NDArray[np.uint8]) -> Floats:
        """Return the probabilities (n, 10) of images (n, 28, 28), 0 ground to 255 ink, n at least 1.

        An image gets the same probabilities, bit for bit, whatever images come with it. See `_forward`.
        """
        flat = images.reshape(-1, 784)
        if len(flat) <= CHUNK:
            return self._forward(flat)
        return np.concatenate([self._forward(flat[i : i + CHUNK]) for i in range(0, len(flat), CHUNK)])

    def self_check(self) -> None:
        """Read a few patterns, as a server does before it trusts a version.

        Raises:
            CheckpointError: the answers are not probabilities.
        """
        images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
        with np.errstate(all="ignore"):  # what overflows is refused below, in words
            sums = self.probabilities(images).sum(axis=1)
        if not np.allclose(sums, 1.0, atol=1e-3):
            raise CheckpointError(f"its probabilities add up to {sums.tolist()}, expected 1")

    def _forward(self, flat: NDArray[np.uint8]) -> Floats:
        """Return the probabilities of flattened images (n, 784).

        Two things keep the last bits of an image's answer from changing with the size of its batch, for 2 us:
        a lone image is read twice (NumPy would take a matrix-vector product, which adds in another order), and the
        first product is made in two halves (BLAS splits sums of more than some 400 terms, but only in large batches).
        """
        x: Floats = flat.astype(np.float32) / np.float32(255)  # (n, 784)
        if len(x) == 1:
            return self._forward(np.repeat(flat, 2, axis=0))[:1]
        w, b = self._weights, self._biases
        layer_1 = x[:, :HALF] @ w["h1"][:HALF] + x[:, HALF:] @ w["h1"][HALF:] + b["b1"]  # (n, 128)
        layer_2 = _sigmoid(layer_1) @ w["h2"] + b["b2"]  # (n, 256)
        logits = _sigmoid(layer_2) @ w["out"] + b["out"]  # (n, 10)
        return _softmax(logits / self._temperature)


def _sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), by its equal 0.5 + 0.5 tanh(x / 2), which cannot overflow."""
    half = np.float32(0.5)
    activations: Floats = half + half * np.tanh(half * x)
    return activations


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))  # the shift keeps exp from overflowing
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
