"""The digit probe: finds pictures that show no digit, by what the network computes for them anyway.

A network of ten digits answers one of them for every picture. Its hidden layers differ between a digit and a letter
even where its confidence does not, so a classifier of their activations finds what the confidence misses (Alain and
Bengio 2016, "Understanding intermediate layers using linear classifier probes", https://arxiv.org/abs/1610.01644). It
has a small hidden layer of its own; those of checkpoints of format version 2 are linear.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inkling.digit import NUM_PIXELS, Floats, Images
from inkling.network.checkpoint import PROBE_SHAPES, SHAPES, Checkpoint
from inkling.network.forward import sigmoid

UNIT_WEIGHTS, UNIT_BIASES, WEIGHTS, BIAS = PROBE_SHAPES
LAYER_1, LAYER_2 = SHAPES["biases/b1"][0], SHAPES["biases/b2"][0]
FEATURE_CHUNK = 1024
"""Images whose features are computed at a time."""
HALF = np.float32(0.5)
DIGIT_THRESHOLD = 0.5
"""Below this score, a picture is no digit. Every probe is shifted so that 1 % of real digits score less."""


@dataclass(frozen=True)
class DigitProbe:
    """The probe of a checkpoint, folded as the classifier's layers are, to half of the log odds of a digit."""

    weights_1: Floats  # (128, m): from the network's first hidden layer to the probe's m inputs
    weights_2: Floats  # (256, m): from the second
    largest_logit: Floats  # (m,)
    biases: Floats  # (m,)
    units: Floats  # (m - 1,): weights of the probe's hidden units; the last input is linear

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "DigitProbe | None":
        """Return the probe of a checkpoint; None if it has none, as those of earlier releases.

        The checkpoint's weights are of sigmoids, and of a logit before the temperature T. The classifier has the tanh
        of half of a sigmoid's input, and logits divided by T; w * sigmoid(x) is w / 2 + w / 2 * tanh(x / 2), for the
        probe's own units, too. All is halved once more for the probe's own sigmoid, 0.5 + 0.5 tanh(x / 2), which cannot
        overflow. The probe of format version 2 is all linear; it gets a unit that weighs nothing.
        """
        if WEIGHTS not in checkpoint.parameters:
            return None
        p = {name: array.astype(np.float64) for name, array in checkpoint.parameters.items()}
        if UNIT_WEIGHTS in p:
            hidden, biases, units = p[UNIT_WEIGHTS], p[UNIT_BIASES], p[WEIGHTS][:-1]
            linear = np.append(np.zeros(LAYER_1 + LAYER_2), p[WEIGHTS][-1])
        else:
            hidden, biases, units = np.zeros((len(p[WEIGHTS]), 1)), np.zeros(1), np.zeros(1)
            linear = p[WEIGHTS]
        inputs = np.concatenate([hidden, linear[:, np.newaxis]], axis=1) / 2  # (385, m)
        activations = inputs[:-1] / 2
        biases = np.append(biases, p[BIAS] + units.sum() / 2) / 2 + activations.sum(axis=0)  # (m,)
        temperature = np.float64(np.float32(checkpoint.card.temperature))
        with np.errstate(over="ignore"):  # `Classifier.self_check` reports an overflow
            folded = (activations[:LAYER_1], activations[LAYER_1:], inputs[-1] * temperature, biases, units / 4)
            return cls(*(array.astype(np.float32) for array in folded))

    def scores(self, inputs: Floats, largest_logits: Floats) -> Floats:
        """Return how much images look like digits (n,), 0 to 1, n above 1.

        `vecdot` computes one dot product per image, where a product of a matrix and a vector would add in an order that
        depends on the number of images.

        Args:
            inputs: (n, m), the weighted activations and the biases; changed.
            largest_logits: (n, 1).
        """
        inputs += largest_logits * self.largest_logit
        half_log_odds = np.vecdot(np.tanh(inputs[:, :-1]), self.units) + inputs[:, -1]
        scores: Floats = HALF + HALF * np.tanh(half_log_odds)
        return scores

    def score(self, inputs: Floats, largest_logit: Floats) -> Floats:
        """Return the same for one image, bit for bit, given its inputs (m,) and its largest logit (1,)."""
        inputs += largest_logit * self.largest_logit
        half_log_odds = np.tanh(inputs[:-1]).dot(self.units) + inputs[-1]
        score: Floats = HALF + HALF * np.tanh(half_log_odds)
        return score


def probe_features(images: Images, p: Mapping[str, Floats]) -> Floats:
    """Return what a probe's weights are of (n, 385): the activations of both hidden layers, and the largest logit.

    Args:
        images: (n, 28, 28), 0 background to 255 foreground.
        p: the parameters by their names in a checkpoint.
    """
    features = np.empty((len(images), LAYER_1 + LAYER_2 + 1), np.float32)
    for start in range(0, len(images), FEATURE_CHUNK):
        x = images[start : start + FEATURE_CHUNK].reshape(-1, NUM_PIXELS).astype(np.float32) / 255
        layer_1 = sigmoid(x @ p["weights/h1"] + p["biases/b1"])  # (n, 128)
        layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (n, 256)
        logits = layer_2 @ p["weights/out"] + p["biases/out"]  # (n, 10)
        features[start : start + len(x)] = np.concatenate([layer_1, layer_2, logits.max(axis=1, keepdims=True)], axis=1)
    return features
