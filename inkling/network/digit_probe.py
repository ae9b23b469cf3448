"""The digit probe: finds pictures that show no digit, by what the network computes for them anyway.

A network of ten digits answers one of them for every picture. Its hidden layers differ between a digit and a letter
even where its confidence does not, so a logistic regression on their activations finds what the confidence misses
(Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes",
https://arxiv.org/abs/1610.01644).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, Floats, Images
from inkling.network.checkpoint import OPTIONAL_SHAPES, SHAPES, Checkpoint
from inkling.network.forward import sigmoid

WEIGHTS, BIAS = OPTIONAL_SHAPES
LAYER_1, LAYER_2 = SHAPES["biases/b1"][0], SHAPES["biases/b2"][0]
FEATURE_CHUNK = 1024
"""Images whose features are computed at a time."""
HALF = np.float32(0.5)
DIGIT_THRESHOLD = 0.5
"""Below this score, a picture is no digit. Every probe is shifted so that 1 % of real digits score less."""


@dataclass(frozen=True)
class DigitProbe:
    """The probe of a checkpoint, folded as the classifier's layers are, to half of the log odds of a digit."""

    weights_1: Floats  # (128,)
    weights_2: Floats  # (256,)
    largest_logit: np.float32
    bias: np.float32

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "DigitProbe | None":
        """Return the probe of a checkpoint; None if it has none, as those of earlier releases.

        The checkpoint's weights are of sigmoids, and of a logit before the temperature T. The classifier has the tanh
        of half of a sigmoid's input, and logits divided by T; w * sigmoid(x) is w / 2 + w / 2 * tanh(x / 2). All is
        halved once more for the probe's own sigmoid, 0.5 + 0.5 tanh(x / 2), which cannot overflow.
        """
        if WEIGHTS not in checkpoint.parameters:
            return None
        weights = checkpoint.parameters[WEIGHTS].astype(np.float64)
        halves = weights[:-1] / 2
        bias = checkpoint.parameters[BIAS][0] + halves.sum()
        folded = (halves / 2).astype(np.float32)
        temperature = np.float64(np.float32(checkpoint.card.temperature))
        with np.errstate(over="ignore"):  # `Classifier.self_check` reports an overflow
            largest_logit, shift = np.float32(weights[-1] / 2 * temperature), np.float32(bias / 2)
        return cls(folded[:LAYER_1], folded[LAYER_1:], largest_logit, shift)

    def scores(self, tanh_1: Floats, tanh_2: Floats, largest_logits: Floats) -> Floats:
        """Return how much images look like digits (n,), 0 to 1, from the classifier's activations and largest logits.

        An image gets the same bits in a batch of any size: `vecdot` computes one dot product per image, where a
        product of a matrix and a vector would add in an order that depends on the number of images.
        """
        inputs = np.vecdot(tanh_1, self.weights_1) + np.vecdot(tanh_2, self.weights_2)  # (n,)
        inputs = inputs + largest_logits * self.largest_logit + self.bias
        scores: Floats = HALF + HALF * np.tanh(inputs)
        return scores


def probe_features(images: Images, p: Mapping[str, Floats]) -> NDArray[np.float64]:
    """Return what a probe's weights are of (n, 385): the activations of both hidden layers, and the largest logit.

    Args:
        images: (n, 28, 28), 0 background to 255 foreground.
        p: the parameters by their names in a checkpoint.
    """
    chunks = []
    for start in range(0, len(images), FEATURE_CHUNK):
        x = images[start : start + FEATURE_CHUNK].reshape(-1, NUM_PIXELS).astype(np.float32) / 255
        layer_1 = sigmoid(x @ p["weights/h1"] + p["biases/b1"])  # (n, 128)
        layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (n, 256)
        logits = layer_2 @ p["weights/out"] + p["biases/out"]  # (n, 10)
        chunks.append(np.concatenate([layer_1, layer_2, logits.max(axis=1, keepdims=True)], axis=1))
    return np.concatenate(chunks).astype(np.float64)
