"""The measurement of an export: its largest difference from the probabilities that the server gives.

It is measured whenever an export is written, on images that are always there: seeded strokes. The network is unsure of
most of them, where probabilities move most, and so reads them in views, if the version has any.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Floats, Images
from inkling.exports.network import PortableNetwork
from inkling.network.classifier import Classifier

IMAGES = 256
POINTS = 5

Run = Callable[[NDArray[np.uint8]], Floats]
"""The arithmetic of an export: from images uint8 (n, 784) to scores float32 (n, 10)."""


def largest_difference(network: PortableNetwork, run: Run) -> float:
    """Return how far a probability of an export is from the server's at most, rounded up to 1, 2 or 5 times 10^k.

    The last bits of float32 products depend on the processor; rounded, the same version gives the same file everywhere.

    Raises:
        CheckpointError: the network does not compute probabilities.
    """
    classifier = Classifier(network.checkpoint, network.version)
    classifier.self_check()
    images = stroke_images()
    differences = np.abs(run(images.reshape(-1, NUM_PIXELS)) - classifier.probabilities(images))
    return round_up(float(differences.max()))


def stroke_images() -> Images:
    """Return images of seeded strokes, lines through five random points: the same ones on every machine."""
    random = np.random.default_rng(0)
    points = random.uniform(5, SIDE - 5, (IMAGES, POINTS, 2))
    starts, steps = points[:, :-1, None], np.diff(points, axis=1)[:, :, None]  # (n, 4, 1, 2)
    pixels = np.stack(np.divmod(np.arange(NUM_PIXELS), SIDE), axis=-1)  # (784, 2)
    along = ((pixels - starts) * steps).sum(axis=-1, keepdims=True) / (steps * steps).sum(axis=-1, keepdims=True)
    distances = np.linalg.norm(pixels - starts - np.clip(along, 0, 1) * steps, axis=-1).min(axis=1)  # (n, 784)
    images: Images = (np.clip(2 - distances, 0, 1) * 255).astype(np.uint8).reshape(-1, SIDE, SIDE)
    return images


def round_up(value: float) -> float:
    """Return the smallest number that is at least `value` and 1, 2 or 5 times a power of ten; 0 for 0."""
    if value == 0:
        return 0.0
    exponent = math.floor(math.log10(value))
    return min(rounded for digit in (1, 2, 5, 10) if (rounded := float(f"{digit}e{exponent}")) >= value)
