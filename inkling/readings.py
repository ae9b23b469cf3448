"""The choice among the readings of a picture: of several plausible normalizations, the one the network is surest of."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from inkling.digit import Floats, Images
from inkling.network.classifier import Outputs
from inkling.vision.normalize import Normalized

MARGIN = 0.02
"""By so much the confidence of an alternative must exceed that of the picture's first reading to replace it."""


class Chosen(NamedTuple):
    """Of each picture, the reading that answers for it."""

    readings: tuple[Normalized, ...]
    """(n,)"""
    outputs: Outputs
    """(n, 10) and (n,)"""


def read_each(read: Callable[[Images], Outputs], pictures: Sequence[Normalized]) -> Chosen:
    """Classify every reading of pictures, at least one, in one batch, and choose one reading of each picture.

    A picture's answer does not depend on the others: `read` gives an image the same bits in any batch.

    Args:
        read: the network's outputs for images (m, 28, 28).
        pictures: the first reading of each, with its alternatives.
    """
    if not any(picture.alternatives for picture in pictures):
        return Chosen(tuple(pictures), read(np.stack([picture.pixels for picture in pictures])))
    readings = [reading for picture in pictures for reading in (picture, *picture.alternatives)]
    outputs = read(np.stack([reading.pixels for reading in readings]))  # (m, 10) and (m,)
    chosen, start = [], 0
    for picture in pictures:
        end = start + 1 + len(picture.alternatives)
        chosen.append(start + _choose(outputs.probabilities[start:end]))
        start = end
    return Chosen(tuple(readings[i] for i in chosen), outputs.take(chosen))


def _choose(probabilities: Floats) -> int:
    """Return which of a picture's readings answers, given their probabilities (k, 10); the first one is preferred."""
    confidences = probabilities.max(axis=1)
    confidences[0] += MARGIN
    return int(confidences.argmax())
