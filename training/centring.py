"""Coordinates in which the network learns faster: each bias is told about the mean of the inputs of its layer.

A layer of inputs that are all positive, as pixels and sigmoids are, turns its weights and its bias together; less their
mean they are learnt apart (LeCun, Bottou, Orr and Mueller 1998, "Efficient BackProp", section 4.3). The network is the
same: `plain_biases` takes the biases back.
"""

import tensorflow as tf

from training.model import Variables

MEANS = {"h1": 0.13, "h2": 0.5, "out": 0.5}
"""Of each layer's inputs: MNIST's pixels, and what a sigmoid gives for 0."""

INITIAL_SCALES = {"h1": 1.0, "h2": 4.0, "out": 2.0}
"""Of the tutorial's initial weights: so that the second layer, too, leaves the middle of its sigmoids."""


def start_centred(weights: Variables, biases: Variables) -> None:
    """Make a new network's variables, in place, those that a centred training starts from.

    The biases of the later layers start at minus half the sum of their weights, numbers of a standard deviation of
    about 1: sigmoids that bend in different places learnt more than those of zero biases (docs/trials.md).
    """
    for bias, layer in zip(biases, weights, strict=True):
        weights[layer].assign(INITIAL_SCALES[layer] * weights[layer])
        if layer != "h1":
            biases[bias].assign(-0.5 * tf.reduce_sum(weights[layer], 0))


def plain_biases(weights: Variables, biases: Variables) -> dict[str, tf.Tensor]:
    """Return the biases, as the network adds them, of biases about the means: b1 (128,), b2 (256,), out (10,)."""
    return {
        bias: biases[bias] - MEANS[layer] * tf.reduce_sum(weights[layer], 0)
        for bias, layer in zip(biases, weights, strict=True)
    }
