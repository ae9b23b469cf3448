"""The attribution of a digit's logit to the pixels of an image, by integrated gradients.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, https://arxiv.org/abs/1703.01365,
equation 1. The gradient is averaged along the straight path from a baseline, here the blank image, to the image, and
multiplied by the difference of the two. The contributions add up to the difference of the two logits (completeness,
proposition 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE
from inkling.network.classifier import Classifier
from inkling.network.forward import logits, sigmoid, softmax
from inkling.network.views import SHIFTS, shifted_weights

NODES = (48, 384)
"""Points of the path where the gradient is computed, by the Gauss-Legendre rule; more where fewer are not exact.

With 48 nodes the largest error of completeness, for the first and the second digit of 600 MNIST training images, is
4e-13 nats for the network that ships. With its weights in both hidden layers multiplied by 4, it needs more: 48 nodes
have an error of 0.04, 384 of 4e-15. A right Riemann sum of 300 points, the largest in the paper, has an error of 0.07
even for the tutorial's network; composite rules of few points per panel are worse than one rule with the same total.
"""
EXACT = 1e-9
"""Nats: the error of completeness up to which the fewer nodes are enough."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """The attribution of one digit's logit on one image, in nats.

    A logit is centered (the mean of the ten is subtracted), because probabilities determine only the differences of
    logits, and it is divided by the card's temperature, the one of its views if the image was read in them. A
    background pixel contributes 0, because it is the same in the blank image: evidence against a digit is always
    foreground.
    """

    digit: int
    """0 to 9."""
    logit: float
    """The digit's logit on the image."""
    baseline_logit: float
    """The digit's logit on the blank image."""
    contributions: Array
    """(28, 28): positive for evidence for the digit, negative against it; the sum is `logit - baseline_logit`."""


def explain(classifier: Classifier, image: NDArray[np.uint8], digit: int) -> Explanation:
    """Return the contributions of an image (28, 28), 0 background to 255 foreground, to the logit of `digit`.

    If the version reads the image in views, the logit is the mean of theirs, and so are the contributions: integrated
    gradients are linear in the function (the paper's section 5).

    In double precision, so that no weights that a checkpoint can hold overflow or cancel.
    """
    p = {name: array.astype(np.float64) for name, array in classifier.checkpoint.parameters.items()}
    card = classifier.checkpoint.card
    x = image.reshape(-1) / 255  # (784,)
    is_unsure = card.views and softmax(logits(x, p) / card.temperature).max() < card.views.below
    if card.views is None or not is_unsure:
        return _explain(x, p, card.temperature, digit)
    views = [
        _explain(x, {**p, "weights/h1": shifted_weights(p["weights/h1"], *shift)}, card.views.temperature, digit)
        for shift in SHIFTS
    ]
    return Explanation(
        digit,
        float(np.mean([view.logit for view in views])),
        float(np.mean([view.baseline_logit for view in views])),
        np.mean([view.contributions for view in views], axis=0),
    )


def _explain(x: Array, p: Mapping[str, Array], temperature: float, digit: int) -> Explanation:
    for nodes in NODES:
        explanation = _integrate(x, p, temperature, digit, nodes)
        total = explanation.logit - explanation.baseline_logit
        if abs(explanation.contributions.sum() - total) <= EXACT * max(1.0, abs(total)):
            break
    return explanation


def _integrate(x: Array, p: Mapping[str, Array], temperature: float, digit: int, nodes: int) -> Explanation:
    path, averaging = _path(nodes)

    # Along the path the image is only scaled, and so is its product with the first weights.
    layer_1 = sigmoid(path[:, np.newaxis] * (x @ p["weights/h1"]) + p["biases/b1"])  # (nodes, 128)
    layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (nodes, 256)
    weights = p["weights/out"][:, digit] - p["weights/out"].mean(axis=1)  # (256,), for the centered logit
    along = (layer_2 @ weights + p["biases/out"][digit] - p["biases/out"].mean()) / temperature  # (nodes,), the logit

    d_2 = weights * layer_2 * (1 - layer_2)  # (nodes, 256); the derivative of sigmoid s is s (1 - s)
    d_1 = d_2 @ p["weights/h2"].T * layer_1 * (1 - layer_1)  # (nodes, 128)
    gradient = p["weights/h1"] @ (averaging @ d_1) / temperature  # (784,), averaged along the path

    contributions = x * gradient + 0.0  # + 0.0 turns -0.0 into 0.0
    return Explanation(digit, float(along[-1]), float(along[0]), contributions.reshape(SIDE, SIDE))


@cache
def _path(count: int) -> tuple[Array, Array]:
    """Return `count` points of the path from 0, the blank image, to 1, the image, and their weights in the average.

    Both ends are included with weight 0, for their logits.
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)  # on the interval -1 to 1
    return np.concatenate([[0.0], (nodes + 1) / 2, [1.0]]), np.concatenate([[0.0], weights / 2, [0.0]])
