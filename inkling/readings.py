"""The choice among the readings of a picture: several plausible normalizations, weighted by how sure the network is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from inkling.digit import Floats, Images
from inkling.network.classifier import Outputs
from inkling.vision.normalization import Normalized

FIRST = 3
"""The weight of a picture's first reading, beside that of an equally sure alternative."""
MAX_CONFIDENCE = 1 - 1e-6
"""Higher ones weigh no more: beyond it, float32 has few steps left."""


class Chosen(NamedTuple):
    """The answer to each picture."""

    readings: tuple[Normalized, ...]
    """(n,): the readings that answer."""
    outputs: Outputs
    """Their digit scores (n,), and the probabilities (n, 10), in which all readings of a picture have a share."""


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
    chosen, answers, start = [], [], 0
    for picture in pictures:
        end = start + 1 + len(picture.alternatives)
        best, probabilities = _combine(outputs.probabilities[start:end])
        chosen.append(start + best)
        answers.append(probabilities)
        start = end
    return Chosen(tuple(readings[i] for i in chosen), outputs.take(chosen)._replace(probabilities=np.stack(answers)))


def _combine(probabilities: Floats) -> tuple[int, Floats]:
    """Return the reading that answers for a picture and the picture's probabilities (10,), given its readings' (k, 10).

    The mean, weighted by the odds of each reading's confidence, c / (1 - c): one that is sure outweighs ten that are
    not, and sure ones that disagree leave doubt. The reading that answers is the one with the largest weight among
    those that read the resulting digit. In float64 and picture by picture, so that a batch changes no bit.
    """
    if len(probabilities) == 1:
        return 0, probabilities[0]
    confidences = np.minimum(probabilities.max(axis=1).astype(np.float64), MAX_CONFIDENCE)  # (k,)
    weights = confidences / (1 - confidences)
    weights[0] *= FIRST
    mean = weights @ probabilities / weights.sum()  # (10,)
    is_same = probabilities.argmax(axis=1) == mean.argmax()
    best = np.where(is_same, weights, -1).argmax() if is_same.any() else probabilities[:, mean.argmax()].argmax()
    return int(best), mean.astype(np.float32)
