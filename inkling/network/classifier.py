"""The classifier: one checkpoint's forward pass, folded so that it takes less time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Floats
from inkling.errors import CheckpointError
from inkling.network.checkpoint import SHAPES, Checkpoint, save
from inkling.network.digit_probe import LAYER_2, DigitProbe
from inkling.network.evaluation import Evaluation, evaluate
from inkling.network.views import SHIFTS, Views, shifted_weights

CHUNK = 1024
"""Images per matrix multiplication; more take more memory and are not faster."""

HALF = NUM_PIXELS // 2
CLASSES = SHAPES["biases/out"][0]


class Outputs(NamedTuple):
    """What the network answers for images."""

    probabilities: Floats
    """(n, 10), each row summing to 1."""
    digit_scores: Floats | None
    """(n,): how much each image looks like a digit, 0 to 1; None if the checkpoint has no digit probe."""

    def take(self, rows: Sequence[int]) -> "Outputs":
        """Return the outputs for some of the images."""
        return Outputs(self.probabilities[rows], None if self.digit_scores is None else self.digit_scores[rows])


Spread = Callable[[Callable[[NDArray[np.uint8]], Outputs], Sequence[NDArray[np.uint8]]], Iterable[Outputs]]
"""Applies a function to each of several arrays, as `map` does: one after another, or several at a time."""


class Classifier:
    """A version of the network. Immutable, so that one version answers a whole request.

    Args:
        checkpoint: its parameters.
        version: its number.
        spread: how the chunks of a batch of more than CHUNK images are computed.
    """

    def __init__(self, checkpoint: Checkpoint, version: int, spread: Spread = map) -> None:
        self.checkpoint = checkpoint
        self.version = version
        self._spread = spread
        parameters, card = checkpoint.parameters, checkpoint.card
        self._probe = DigitProbe.of(checkpoint)
        self._layers = _with_probe(_fold(parameters, card.temperature), self._probe)
        self._single_image_layers = [(*weights, np.tile(bias, (2, 1))) for *weights, bias in self._layers]
        self._views = _FoldedViews(parameters, card.views) if card.views else None

    def read(self, images: NDArray[np.uint8]) -> Outputs:
        """Read images (n, 28, 28), 0 background to 255 foreground, n at least 1.

        An image gets the same numbers, bit for bit, in a batch of any size: see `_forward`.
        """
        flat = images.reshape(-1, NUM_PIXELS)
        if len(flat) <= CHUNK:
            return self._forward(flat)
        chunks = list(self._spread(self._forward, [flat[i : i + CHUNK] for i in range(0, len(flat), CHUNK)]))
        probabilities = np.concatenate([chunk.probabilities for chunk in chunks])
        scores = [chunk.digit_scores for chunk in chunks if chunk.digit_scores is not None]
        return Outputs(probabilities, np.concatenate(scores) if scores else None)

    def probabilities(self, images: NDArray[np.uint8]) -> Floats:
        """Return the probabilities (n, 10) of images, as `read` does."""
        return self.read(images).probabilities

    def single_view(self) -> "Classifier":
        """Return the classifier that reads every image once, whatever its confidence: this one if it has no views."""
        if self._views is None:
            return self
        card = self.checkpoint.card.model_copy(update={"views": None})
        return Classifier(save(self.checkpoint.parameters, card), self.version, self._spread)

    def evaluate(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Evaluation:
        """Return the scores on images (n, 28, 28) with labels (n,); those of a single view, too, if there are views."""
        first = None if self._views is None else self.single_view().probabilities(images)
        return evaluate(self.probabilities(images), labels, single_view=first)

    def self_check(self) -> None:
        """Classify a few random images, before a version is served.

        Raises:
            CheckpointError: the results are not probabilities, or its digit scores are not finite.
        """
        # Python's own generator, because `numpy.random` would take 2 MiB of memory in a server.
        pixels = Random(0).randbytes(3 * NUM_PIXELS)  # noqa: S311  no secret
        images = np.frombuffer(pixels, np.uint8).reshape(3, SIDE, SIDE)
        with np.errstate(all="ignore"):  # an overflow is reported below
            probabilities, scores = self.read(images)
            if self._views is not None:
                views = self._views.probabilities(images.reshape(-1, NUM_PIXELS).astype(np.float32))
                probabilities = np.concatenate([probabilities, views])
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

        If the version has views, the images that it is not sure of are read again. Which ones these are, and what is
        read then, depends on no other image of the batch either: for the same two reasons.
        """
        (top, bottom, b1), (w2, b2), (w3, b3) = self._single_image_layers if len(flat) == 1 else self._layers
        x = np.empty((max(len(flat), 2), NUM_PIXELS), np.float32)
        x[:] = flat  # (n, 784), or (2, 784) for a single image
        tanh_1: Floats = np.dot(x[:, :HALF], top)  # (n, 128)
        tanh_1 += np.dot(x[:, HALF:], bottom)
        tanh_1 += b1
        np.tanh(tanh_1, out=tanh_1)
        hidden: Floats = np.dot(tanh_1, w2)  # (n, 256 + m), the last m for the digit probe
        hidden += b2
        tanh_2 = hidden[:, :LAYER_2]
        np.tanh(tanh_2, out=tanh_2)
        last: Floats = np.dot(tanh_2, w3)  # (n, 10 + m)
        last += b3
        return self._outputs_of_one(x, hidden[0], last[0]) if len(flat) == 1 else self._outputs(x, hidden, last)

    def _outputs(self, x: Floats, hidden: Floats, last: Floats) -> Outputs:
        """Return the outputs for images (n, 784), given the results of both products, (n, 256 + m) and (n, 10 + m)."""
        largest: Floats = np.maximum.reduce(last[:, :CLASSES], axis=1, keepdims=True)  # (n, 1)
        scores = None
        if self._probe is not None:
            scores = self._probe.scores(last[:, CLASSES:] + hidden[:, LAYER_2:], largest)
        probabilities, sums = _softmax(last[:, :CLASSES], largest)
        if self._views is not None:
            self._views.read_again(x, sums, probabilities)
        return Outputs(probabilities, scores)

    def _outputs_of_one(self, x: Floats, hidden: Floats, last: Floats) -> Outputs:
        """Return the same outputs for one image, without the first axis: NumPy is faster with vectors and scalars.

        Args:
            x: (2, 784).
            hidden: (256 + m,).
            last: (10 + m,).
        """
        largest: Floats = np.maximum.reduce(last[:CLASSES], keepdims=True)  # (1,)
        score = None
        if self._probe is not None:
            score = self._probe.score(last[CLASSES:] + hidden[LAYER_2:], largest)
        probabilities, sums = _softmax(last[:CLASSES], largest)
        if self._views is not None and sums[0] > self._views.unsure_sum:
            probabilities = self._views.probabilities(x)[0]
        return Outputs(probabilities[np.newaxis], None if score is None else score[np.newaxis])


class _FoldedViews:
    """The second reading of images that the first one is not sure of: the mean logits of their views.

    The weights of the first layer are shifted instead of the images, once per version.
    """

    def __init__(self, parameters: Mapping[str, Floats], views: Views) -> None:
        self.unsure_sum = np.float32(1 / views.below)
        """The inverse of the confidence below which an image is read in views."""
        _, self._second, self._last = _fold(parameters, views.temperature)
        first = [
            _fold({**parameters, "weights/h1": shifted_weights(parameters["weights/h1"], *shift)}, 1.0)[0]
            for shift in SHIFTS
        ]
        self._first = [np.concatenate(arrays, axis=-1) for arrays in zip(*first, strict=True)]

    def read_again(self, x: Floats, sums: Floats, probabilities: Floats) -> None:
        """Replace the probabilities (n, 10) of those of images (n, 784) that are unsure by their sums (n, 1)."""
        unsure = np.flatnonzero(sums > self.unsure_sum)
        if len(unsure):
            probabilities[unsure] = self.probabilities(x[unsure])

    def probabilities(self, x: Floats) -> Floats:
        """Return the probabilities (n, 10) of images (n, 784), of 0 to 255.

        The output layer is linear, so it reads the mean of the views' activations.
        """
        if len(x) == 1:
            return self.probabilities(np.repeat(x, 2, axis=0))[:1]  # as in `Classifier._forward`
        (top, bottom, b1), (w2, b2), (w3, b3) = self._first, self._second, self._last
        tanh_1 = x[:, :HALF] @ top  # (n, 5 * 128)
        tanh_1 += x[:, HALF:] @ bottom
        tanh_1 += b1
        np.tanh(tanh_1, out=tanh_1)
        tanh_2 = tanh_1.reshape(-1, len(w2)) @ w2  # (n * 5, 256)
        tanh_2 += b2
        np.tanh(tanh_2, out=tanh_2)
        mean = tanh_2.reshape(len(x), len(SHIFTS), -1).sum(axis=1)  # (n, 256)
        mean /= len(SHIFTS)
        logits: Floats = mean @ w3  # (n, 10)
        logits += b3
        return _softmax(logits, np.maximum.reduce(logits, axis=-1, keepdims=True))[0]


def _fold(parameters: Mapping[str, Floats], temperature: float) -> list[tuple[Floats, ...]]:
    """Return the weights and biases of the three layers with every constant folded into them.

    That saves a third of the forward pass. With sigmoid(x) = 0.5 + 0.5 tanh(x / 2), tanh_1 and tanh_2 for the tanh in
    the hidden layers, T for the temperature, and sums over a layer's inputs:

        sigmoid(pixels / 255 @ w1 + b1)  is  0.5 + 0.5 tanh_1,  tanh_1 = tanh(pixels @ (w1 / 510) + b1 / 2)
        sigmoid(layer_1 @ w2 + b2)       is  0.5 + 0.5 tanh_2,  tanh_2 = tanh(tanh_1 @ (w2 / 4) + b2 / 2 + sum(w2 / 4))
        (layer_2 @ w3 + b3) / T          is  tanh_2 @ (w3 / 2 / T) + (b3 + sum(w3 / 2)) / T

    The first layer's weights come in two halves, for the upper and the lower half of the pixels.
    """
    p = {name: array.astype(np.float64) for name, array in parameters.items()}
    divisor = np.float64(np.float32(temperature))
    w1, w2, w3 = p["weights/h1"] / 510, p["weights/h2"] / 4, p["weights/out"] / 2
    layers = [
        (w1[:HALF], w1[HALF:], p["biases/b1"] / 2),
        (w2, p["biases/b2"] / 2 + w2.sum(axis=0)),
        (w3 / divisor, (p["biases/out"] + w3.sum(axis=0)) / divisor),
    ]
    with np.errstate(over="ignore"):  # `self_check` reports an overflow
        return [tuple(array.astype(np.float32) for array in layer) for layer in layers]


def _with_probe(layers: list[tuple[Floats, ...]], probe: DigitProbe | None) -> list[tuple[Floats, ...]]:
    """Return the layers with the digit probe's weights beside theirs, which saves two products."""
    if probe is None:
        return layers
    first, (w2, b2), (w3, b3) = layers
    return [
        first,
        (np.hstack([w2, probe.weights_1]), np.append(b2, np.zeros_like(probe.biases))),
        (np.hstack([w3, probe.weights_2]), np.append(b3, probe.biases)),
    ]


def _softmax(logits: Floats, largest: Floats) -> tuple[Floats, Floats]:
    """Return the probabilities of logits (n, 10) or (10,), given the largest (n, 1) or (1,) of each row.

    And the sums that divided them, shaped as `largest`: the inverse confidences, as the largest term is 1.
    """
    probabilities: Floats = logits - largest  # the shift keeps exp from overflowing
    np.exp(probabilities, out=probabilities)
    sums: Floats = np.add.reduce(probabilities, axis=-1, keepdims=True)  # as .sum(), without its wrapper: 1 us per call
    probabilities /= sums
    return probabilities, sums
