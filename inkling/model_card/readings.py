"""What a network answers to pictures, sent as they are or through `fit=mnist`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Gray
from inkling.errors import InputError
from inkling.network.classifier import Classifier
from inkling.vision.normalize import normalize

REFUSED = -1


@dataclass(frozen=True)
class Fitted:
    """Pictures as `fit=mnist` leaves them."""

    images: Gray  # (n, 28, 28), 0 ground to 255 ink; 0 where refused
    is_refused: NDArray[np.bool_]  # (n,), answered 422


@dataclass(frozen=True)
class Readings:
    digits: NDArray[np.int64]  # (n,), 0 to 9, or REFUSED
    confidences: NDArray[np.float32]  # (n,), 0 to 1; 0 where refused

    @property
    def refused(self) -> int:
        return int((self.digits == REFUSED).sum())

    def right(self, labels: NDArray[np.integer]) -> int:
        """Return how many are read as their labels (n,); what is refused is not."""
        return int((self.digits == labels).sum())


def fit(pictures: Iterable[Gray]) -> Fitted:
    """Return pictures (h, w) of any sizes, 0 black to 255 white, as `fit=mnist` makes them."""
    images, is_refused = [], []
    for picture in pictures:
        try:
            images.append(normalize(picture).pixels)
            is_refused.append(False)
        except InputError:
            images.append(np.zeros((SIDE, SIDE), np.uint8))
            is_refused.append(True)
    return Fitted(np.stack(images), np.array(is_refused))


def read(classifier: Classifier, images: Gray) -> Readings:
    """Read images (n, 28, 28) as they are."""
    probabilities = classifier.probabilities(images)
    return Readings(probabilities.argmax(axis=1), probabilities.max(axis=1))


def read_fitted(classifier: Classifier, fitted: Fitted) -> Readings:
    readings = read(classifier, fitted.images)
    return Readings(
        np.where(fitted.is_refused, REFUSED, readings.digits),
        np.where(fitted.is_refused, np.float32(0), readings.confidences),
    )
