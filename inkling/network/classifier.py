"""One checkpoint, ready to read digits: the forward pass in NumPy."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, Floats
from inkling.errors import CheckpointError
from inkling.network.checkpoint import Checkpoint

CHUNK = 1024
"""Images to a matrix multiplication: past this it gets no faster, only larger."""

HALF = NUM_PIXELS // 2


class Classifier:
    """A version of the network. Immutable, so that a request is answered by one version wholly."""

    def __init__(self, checkpoint: Checkpoint, version: int) -> None:
        self.checkpoint = checkpoint
        self.version = version
        self._layers = _folded(checkpoint)
        self._lone_layers = [(*weights, np.tile(bias, (2, 1))) for *weights, bias in self._layers]

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
        What can be done in place is: in large batches new memory costs as much as the arithmetic. A lone image has
        biases of its own, in two rows: adding row to row takes 0.3 us, adding one row to each of two 0.9.
        """
        (top, bottom, b1), (w2, b2), (w3, b3) = self._lone_layers if len(flat) == 1 else self._layers
        x = np.empty((max(len(flat), 2), 784), np.float32)
        x[:] = flat  # (n, 784), and (2, 784) of a lone image
        layer_1: Floats = x[:, :HALF] @ top  # (n, 128)
        layer_1 += x[:, HALF:] @ bottom
        layer_1 += b1
        np.tanh(layer_1, out=layer_1)
        layer_2: Floats = layer_1 @ w2  # (n, 256)
        layer_2 += b2
        np.tanh(layer_2, out=layer_2)
        logits: Floats = layer_2 @ w3  # (n, 10)
        logits += b3
        return _softmax(logits[0])[np.newaxis] if len(flat) == 1 else _softmax(logits)


def _folded(checkpoint: Checkpoint) -> list[tuple[Floats, ...]]:
    """Return the weights and biases of three layers that take pixels 0 to 255, have tanh, and end in tempered logits.

    The weights of the first come in two halves: of the upper pixels, and of the lower ones.

    They are the network's own: sigmoid(x) is 0.5 + 0.5 tanh(x / 2), which cannot overflow, and its constants, the 1/255
    of the pixels and the temperature go into the weights here, once. That saves a third of the forward pass.
    """
    p = {name: array.astype(np.float64) for name, array in checkpoint.parameters.items()}
    temperature = np.float64(np.float32(checkpoint.card.temperature))
    w1, w2, w3 = p["weights/h1"] / 510, p["weights/h2"] / 4, p["weights/out"] / 2
    layers = [
        (w1[:HALF], w1[HALF:], p["biases/b1"] / 2),
        (w2, p["biases/b2"] / 2 + w2.sum(axis=0)),
        (w3 / temperature, (p["biases/out"] + w3.sum(axis=0)) / temperature),
    ]
    with np.errstate(over="ignore"):  # what overflows does not pass the self-check
        return [tuple(array.astype(np.float32) for array in layer) for layer in layers]


def _softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits (n, 10) or (10,), in their place."""
    logits -= np.maximum.reduce(logits, axis=-1, keepdims=True)  # the shift keeps exp from overflowing
    np.exp(logits, out=logits)
    logits /= np.add.reduce(logits, axis=-1, keepdims=True)  # as .sum(), but without its wrapper: 1 us a call
    return logits
