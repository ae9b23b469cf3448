"""The calibration temperature: one number that makes a network's confidence match its accuracy."""

import numpy as np
from numpy.typing import NDArray

COLDEST, HOTTEST = 0.1, 10.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the temperature, COLDEST to HOTTEST, for which logits (n, 10) divided by it make labels (n,) most likely.

    Guo et al. 2017, "On calibration of modern neural networks" (https://arxiv.org/abs/1706.04599), section 4.2. The
    mean negative log-likelihood is convex in the inverse temperature, so bisection finds where its slope is 0; 60
    halvings exhaust the precision of float64.
    """
    z = logits.astype(np.float64)
    true = z[np.arange(len(labels)), labels]  # (n,)

    def slope(inverse: float) -> float:
        exponentials = np.exp(inverse * (z - z.max(axis=1, keepdims=True)))
        expected = (exponentials * z).sum(axis=1) / exponentials.sum(axis=1)
        return float((expected - true).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)
