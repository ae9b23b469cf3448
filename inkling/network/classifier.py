"""The classifier: one checkpoint's forward pass, folded so that it takes less time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Floats
from inkling.errors import CheckpointError
from inkling.network.checkpoint import Checkpoint
from inkling.network.digit_probe import DigitProbe

CHUNK = 1024
"""Images per matrix multiplication; more take more memory and are not faster."""

HALF = NUM_PIXELS // 2


class Outputs(NamedTuple):
    """What the network answers for images."""

    probabilities: Floats
    """(n, 10), each row summing to 1."""
    digit_scores: Floats | None
    """(n,): how much each image looks like a digit, 0 to 1; None if the checkpoint has no digit probe."""

    def take(self, rows: Sequence[int]) -> "Outputs":
        """Return the outputs for some of the images."""
        return Outputs(self.probabilities[rows], None if self.digit_scores is None else self.digit_scores[rows])


class Classifier:
    """A version of the network. Immutable, so that one version answers a whole request."""

    def __init__(self, checkpoint: Checkpoint, version: int) -> None:
        self.checkpoint = checkpoint
        self.version = version
        self._layers = _fold(checkpoint)
        self._single_image_layers = [(*weights, np.tile(bias, (2, 1))) for *weights, bias in self._layers]
        self._probe = DigitProbe.of(checkpoint)

    def read(self, images: NDArray[np.uint8]) -> Outputs:
        """Read images (n, 28, 28), 0 background to 255 foreground, n at least 1.

        An image gets the same numbers, bit for bit, in a batch of any size: see `_forward`.
        """
        flat = images.reshape(-1, NUM_PIXELS)
        if len(flat) <= CHUNK:
            return self._forward(flat)
        chunks = [self._forward(flat[i : i + CHUNK]) for i in range(0, len(flat), CHUNK)]
        probabilities = np.concatenate([chunk.probabilities for chunk in chunks])
        scores = [chunk.digit_scores for chunk in chunks if chunk.digit_scores is not None]
        return Outputs(probabilities, np.concatenate(scores) if scores else None)

    def probabilities(self, images: NDArray[np.uint8]) -> Floats:
        """Return the probabilities (n, 10) of images, as `read` does."""
        return self.read(images).probabilities

    def self_check(self) -> None:
        """Classify a few random images, before a version is served.

        Raises:
            CheckpointError: the results are not probabilities, or its digit scores are not finite.
        """
        images = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), np.uint8)
        with np.errstate(all="ignore"):  # an overflow is reported below
            probabilities, scores = self.read(images)
        sums = probabilities.sum(axis=1)
        if not np.allclose(sums, 1.0, atol=1e-3):
            raise CheckpointError(f"its probabilities add up to {sums.tolist()}, expected 1")
        if scores is not None and not np.isfinite(scores).all():
            raise CheckpointError(f"its digit scores are {scores.tolist()}, expected 0 to 1")

    def _forward(self, flat: NDArray[np.uint8]) -> Outputs:
        """Return the outputs for flattened images (n, 784), as `inkling.network.forward` defines the probabilities.

        Two things make an image's result independent of the batch size, to the last bit, for 2 us: a single image is
        computed twice (NumPy would use a matrix-vector product, which adds in another order), and the first product is
        computed in two halves (BLAS splits sums of more than about 400 terms, but only in large batches).

        Operations are in place where possible: allocating for a large batch costs as much as computing it. For a single
        image the biases have two rows: adding two rows takes 0.3 us, broadcasting one row to two 0.9.
        """
        (top, bottom, b1), (w2, b2), (w3, b3) = self._single_image_layers if len(flat) == 1 else self._layers
        x = np.empty((max(len(flat), 2), NUM_PIXELS), np.float32)
        x[:] = flat  # (n, 784), or (2, 784) for a single image
        tanh_1: Floats = x[:, :HALF] @ top  # (n, 128)
        tanh_1 += x[:, HALF:] @ bottom
        tanh_1 += b1
        np.tanh(tanh_1, out=tanh_1)
        tanh_2: Floats = tanh_1 @ w2  # (n, 256)
        tanh_2 += b2
        np.tanh(tanh_2, out=tanh_2)
        logits: Floats = tanh_2 @ w3  # (n, 10)
        logits += b3
        if len(flat) > 1:
            return self._outputs(tanh_1, tanh_2, logits)
        probabilities, score = self._outputs(tanh_1[0], tanh_2[0], logits[0])
        return Outputs(probabilities[np.newaxis], None if score is None else score[np.newaxis])

    def _outputs(self, tanh_1: Floats, tanh_2: Floats, logits: Floats) -> Outputs:
        """Return the outputs for images, or of one without the first axis: NumPy's scalars are faster than arrays."""
        largest: Floats = np.maximum.reduce(logits, axis=-1, keepdims=True)  # (n, 1)
        score = None if self._probe is None else self._probe.scores(tanh_1, tanh_2, largest[..., 0])
        return Outputs(_softmax(logits, largest), score)


def _fold(checkpoint: Checkpoint) -> list[tuple[Floats, ...]]:
    """Return the weights and biases of the three layers with every constant folded into them.

    That saves a third of the forward pass. With sigmoid(x) = 0.5 + 0.5 tanh(x / 2), tanh_1 and tanh_2 for the tanh in
    the hidden layers, T for the temperature, and sums over a layer's inputs:

        sigmoid(pixels / 255 @ w1 + b1)  is  0.5 + 0.5 tanh_1,  tanh_1 = tanh(pixels @ (w1 / 510) + b1 / 2)
        sigmoid(layer_1 @ w2 + b2)       is  0.5 + 0.5 tanh_2,  tanh_2 = tanh(tanh_1 @ (w2 / 4) + b2 / 2 + sum(w2 / 4))
        (layer_2 @ w3 + b3) / T          is  tanh_2 @ (w3 / 2 / T) + (b3 + sum(w3 / 2)) / T

    The first layer's weights come in two halves, for the upper and the lower half of the pixels.
    """
    p = {name: array.astype(np.float64) for name, array in checkpoint.parameters.items()}
    temperature = np.float64(np.float32(checkpoint.card.temperature))
    w1, w2, w3 = p["weights/h1"] / 510, p["weights/h2"] / 4, p["weights/out"] / 2
    layers = [
        (w1[:HALF], w1[HALF:], p["biases/b1"] / 2),
        (w2, p["biases/b2"] / 2 + w2.sum(axis=0)),
        (w3 / temperature, (p["biases/out"] + w3.sum(axis=0)) / temperature),
    ]
    with np.errstate(over="ignore"):  # `self_check` reports an overflow
        return [tuple(array.astype(np.float32) for array in layer) for layer in layers]


def _softmax(logits: Floats, largest: Floats) -> Floats:
    """Return the probabilities of logits (n, 10) or (10,), computed in place, given the largest (n, 1) or (1,)."""
    logits -= largest  # the shift keeps exp from overflowing
    np.exp(logits, out=logits)
    logits /= np.add.reduce(logits, axis=-1, keepdims=True)  # as .sum(), but without its wrapper: 1 us per call
    return logits
