"""The calibration: temperatures that make a network's confidence match its accuracy, and whether it reads in views."""

import numpy as np
from numpy.typing import NDArray

from inkling.network.evaluation import cross_entropy
from inkling.network.forward import softmax
from inkling.network.views import CONFIDENCE, Views

COLDEST, HOTTEST = 0.1, 10.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the temperature, COLDEST to HOTTEST, for which logits (n, 10) divided by it make labels (n,) most likely.

    Guo et al. 2017, "On calibration of modern neural networks" (https://arxiv.org/abs/1706.04599), section 4.2. The
    mean negative log-likelihood is convex in the inverse temperature, so bisection finds where its slope is 0; 60
    halvings exhaust the precision of float64.
    """
    z = logits.T.astype(np.float64, order="C")  # (10, n): NumPy adds long rows several times as fast as short ones
    true = z[labels, np.arange(len(labels))]  # (n,)
    below = z - z.max(axis=0)  # exp cannot overflow

    def slope(inverse: float) -> float:
        exponentials = np.exp(inverse * below)
        expected = _sum_of_classes(exponentials * z) / _sum_of_classes(exponentials)
        return float((expected - true).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def _sum_of_classes(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums (n,) of ten rows (10, n), added in pairs as NumPy adds ten numbers that lie together."""
    pairs = terms[0:8:2] + terms[1:8:2]  # (4, n)
    fours = pairs[0::2] + pairs[1::2]  # (2, n)
    total: NDArray[np.float64] = fours[0] + fours[1] + terms[8] + terms[9]
    return total


def fit_views(
    first_logits: NDArray[np.float32], mean_logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float
) -> Views | None:
    """Return the views for unsure images, with a temperature fitted to these; None if they do not lower the loss.

    A network that learned from shifted images reads their shifts as well as the images. Another one, as the tutorial's,
    reads them worse, and must answer from the image alone.

    Args:
        first_logits: of held-out images, (n, 10).
        mean_logits: of the views of the same images, (n, 10).
        labels: (n,).
        temperature: the one of the first reading.
    """
    probabilities = softmax(first_logits / np.float32(temperature))
    is_unsure = probabilities.max(axis=1) < CONFIDENCE
    if not is_unsure.any():
        return None
    mean_logits, labels = mean_logits[is_unsure], labels[is_unsure]
    views = Views(temperature=fit_temperature(mean_logits, labels))
    reread = softmax(mean_logits / np.float32(views.temperature))
    return views if cross_entropy(reread, labels) < cross_entropy(probabilities[is_unsure], labels) else None
