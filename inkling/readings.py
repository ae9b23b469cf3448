"""The choice among the readings of a picture: several plausible normalizations, weighted by how sure the network is."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from inkling.digit import SIDE, Floats, Images
from inkling.network.classifier import Outputs
from inkling.vision.normalization import FIRST, Normalized

MAX_CONFIDENCE = 1 - 1e-6
"""Higher ones weigh no more: beyond it, float32 has few steps left."""
LEAST_PROBABILITY = np.float32(1e-30)
"""Lower ones count as it: float32 has no logarithm of what it rounds to 0."""


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
    views = [_views(reading) for reading in readings]
    starts = np.cumsum([0, *map(len, views)]).tolist()
    outputs = read(np.concatenate(views))
    probabilities = np.stack([_mean_logits(outputs.probabilities[i:j]) for i, j in pairwise(starts)])
    chosen, answers, start = [], [], 0
    for picture in pictures:
        end = start + 1 + len(picture.alternatives)
        best, answer = _combine(probabilities[start:end], [reading.weight for reading in readings[start:end]])
        chosen.append(start + best)
        answers.append(answer)
        start = end
    outputs = outputs.take([starts[i] for i in chosen])._replace(probabilities=np.stack(answers))
    return Chosen(tuple(readings[i] for i in chosen), outputs)


def _views(reading: Normalized) -> Images:
    """Return the images of a reading: its own, and if it is shifted its eight shifts by a pixel, edges repeated."""
    if not reading.is_shifted:
        return reading.pixels[np.newaxis]
    padded = np.pad(reading.pixels, 1, mode="edge")
    shifted: Images = sliding_window_view(padded, (SIDE, SIDE)).reshape(-1, SIDE, SIDE)  # (9, 28, 28)
    return np.concatenate([shifted[4:], shifted[:4]])  # the image itself comes first


def _mean_logits(probabilities: Floats) -> Floats:
    """Return the softmax (10,) of the mean logits of views, given their probabilities (k, 10)."""
    if len(probabilities) == 1:
        only: Floats = probabilities[0]
        return only
    logarithms = np.log(np.maximum(probabilities, LEAST_PROBABILITY)).astype(np.float64).mean(axis=0)  # (10,)
    exponentials = np.exp(logarithms - logarithms.max())
    mean: Floats = (exponentials / exponentials.sum()).astype(np.float32)
    return mean


def _combine(probabilities: Floats, weights: Sequence[float]) -> tuple[int, Floats]:
    """Return the reading that answers for a picture and the picture's probabilities (10,), given its readings' (k, 10).

    The mean, weighted by the odds of each reading's confidence, c / (1 - c): one that is sure outweighs ten that are
    not, and sure ones that disagree leave doubt. The reading that answers is the one with the largest weight among
    those that read the resulting digit. In float64 and picture by picture, so that a batch changes no bit.

    Args:
        probabilities: those of the readings (k, 10).
        weights: of equally sure readings (k,).
    """
    if len(probabilities) == 1:
        return 0, probabilities[0]
    confidences = np.minimum(probabilities.max(axis=1).astype(np.float64), MAX_CONFIDENCE)  # (k,)
    odds = np.array(weights) * confidences / (1 - confidences)  # (k,)
    odds[0] *= FIRST
    mean = odds @ probabilities / odds.sum()  # (10,)
    is_same = probabilities.argmax(axis=1) == mean.argmax()
    best = np.where(is_same, odds, -1).argmax() if is_same.any() else probabilities[:, mean.argmax()].argmax()
    return int(best), mean.astype(np.float32)
