"""Predictions of many pictures, as they are or normalized; a picture that cannot be normalized counts as refused."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Floats, Gray, Images, Mask
from inkling.errors import InputError
from inkling.network.classifier import Classifier
from inkling.readings import read_each
from inkling.vision.normalization import Normalized
from inkling.vision.normalize import normalize

REFUSED = -1


@dataclass(frozen=True)
class NormalizedPictures:
    """Pictures after `fit=mnist`."""

    read: list[Normalized]  # those that are not refused, in their order
    is_refused: Mask  # (n,), answered 422


@dataclass(frozen=True)
class TopPredictions:
    """The most probable digit of each picture."""

    digits: NDArray[np.int64]  # (n,), 0 to 9, or REFUSED
    confidences: Floats  # (n,), 0 to 1; 0 where refused
    images: Images  # (n, 28, 28), what the network read; 0 where refused
    digit_scores: Floats | None = None  # (n,), how much each looks like a digit, 0 to 1; None: there is no probe

    @property
    def refused(self) -> int:
        return int((self.digits == REFUSED).sum())

    def correct(self, labels: NDArray[np.integer]) -> int:
        """Return how many predictions equal their labels (n,); a refused picture is never correct."""
        return int((self.digits == labels).sum())


def normalize_or_refuse(pictures: Iterable[Gray]) -> NormalizedPictures:
    """Normalize pictures (h, w) of any sizes, 0 black to 255 white."""
    read, is_refused = [], []
    for picture in pictures:
        try:
            read.append(normalize(picture))
            is_refused.append(False)
        except InputError:
            is_refused.append(True)
    return NormalizedPictures(read, np.array(is_refused))


def predict_strict(classifier: Classifier, images: Images) -> TopPredictions:
    """Predict images (n, 28, 28) as they are."""
    probabilities, scores = classifier.read(images)
    return TopPredictions(probabilities.argmax(axis=1), probabilities.max(axis=1), images, scores)


def predict_normalized(classifier: Classifier, normalized: NormalizedPictures) -> TopPredictions:
    """Predict pictures as they are served: of each, the classifier chooses one reading."""
    count, is_read = len(normalized.is_refused), ~normalized.is_refused
    digits, confidences = np.full(count, REFUSED), np.zeros(count, np.float32)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    scores = None
    if is_read.any():
        readings, outputs = read_each(classifier.read, normalized.read)
        probabilities = outputs.probabilities
        digits[is_read], confidences[is_read] = probabilities.argmax(axis=1), probabilities.max(axis=1)
        images[is_read] = [reading.pixels for reading in readings]
        if outputs.digit_scores is not None:
            scores = np.zeros(count, np.float32)
            scores[is_read] = outputs.digit_scores
    return TopPredictions(digits, confidences, images, scores)
