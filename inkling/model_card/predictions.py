"""Predictions of many pictures, as they are or normalized; a picture that cannot be normalized counts as refused."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Floats, Gray, Images, Mask
from inkling.errors import InputError
from inkling.network.classifier import Classifier
from inkling.vision.normalize import normalize

REFUSED = -1


@dataclass(frozen=True)
class NormalizedPictures:
    """Pictures after `fit=mnist`."""

    images: Images  # (n, 28, 28), 0 background to 255 foreground; 0 where refused
    is_refused: Mask  # (n,), answered 422


@dataclass(frozen=True)
class TopPredictions:
    """The most probable digit of each picture."""

    digits: NDArray[np.int64]  # (n,), 0 to 9, or REFUSED
    confidences: Floats  # (n,), 0 to 1; 0 where refused

    @property
    def refused(self) -> int:
        return int((self.digits == REFUSED).sum())

    def correct(self, labels: NDArray[np.integer]) -> int:
        """Return how many predictions equal their labels (n,); a refused picture is never correct."""
        return int((self.digits == labels).sum())


def normalize_or_refuse(pictures: Iterable[Gray]) -> NormalizedPictures:
    """Normalize pictures (h, w) of any sizes, 0 black to 255 white."""
    images, is_refused = [], []
    for picture in pictures:
        try:
            images.append(normalize(picture).pixels)
            is_refused.append(False)
        except InputError:
            images.append(np.zeros((SIDE, SIDE), np.uint8))
            is_refused.append(True)
    return NormalizedPictures(np.stack(images), np.array(is_refused))


def predict_strict(classifier: Classifier, images: Images) -> TopPredictions:
    """Predict images (n, 28, 28) as they are."""
    probabilities = classifier.probabilities(images)
    return TopPredictions(probabilities.argmax(axis=1), probabilities.max(axis=1))


def predict_normalized(classifier: Classifier, normalized: NormalizedPictures) -> TopPredictions:
    predictions = predict_strict(classifier, normalized.images)
    return TopPredictions(
        np.where(normalized.is_refused, REFUSED, predictions.digits),
        np.where(normalized.is_refused, np.float32(0), predictions.confidences),
    )
