"""The test images that a version misreads, with the reasons: read one question at a time, in a thread."""

from dataclasses import dataclass

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from app.serving.numbered_versions import NumberedVersions
from app.settings import Settings
from inkling import mnist
from inkling.digit import Gray
from inkling.errors import DatasetError
from inkling.predictor import Predictor

MAX_ITEMS = 20


@dataclass(frozen=True)
class MisreadImage:
    index: int
    """Its place among the test images, from 0."""
    image: Gray
    """(28, 28), 0 background to 255 foreground."""
    confidence: float
    contributions: NDArray[np.float64]
    """(28, 28): of each pixel to the logit of the digit that was read minus that of the true one, in nats."""


@dataclass(frozen=True)
class Misread:
    """The test images of one digit that were read as another one."""

    images: int
    """Test images of the true digit."""
    count: int
    items: list[MisreadImage]
    """The surest MAX_ITEMS of them."""


class MisreadFinder:
    """Finds them in MNIST's test images, if this server has their files. It keeps nothing: they take 100 MB meanwhile.

    Args:
        settings: where the files are.
        versions: that read them.
        limiter: of the threads that hold test images.
    """

    def __init__(self, settings: Settings, versions: NumberedVersions, limiter: CapacityLimiter) -> None:
        self._settings = settings
        self._versions = versions
        self._limiter = limiter

    async def find(self, version: int, true: int, predicted: int) -> Misread:
        """Return the test images of `true` that a version reads as `predicted`, both classes 0 to 9.

        Raises:
            UnknownVersionError, UnavailableError: as `NumberedVersions.predictor`.
            DatasetError: this server has no test images, or they are damaged, or the version learned other classes.
        """
        predictor = await self._versions.predictor(version)
        return await run_sync(self._find, predictor, true, predicted, limiter=self._limiter)

    def _find(self, predictor: Predictor, true: int, predicted: int) -> Misread:
        if not predictor.learned.shows_digits:
            raise DatasetError(f"the version learned {predictor.learned}, and this server has test images of digits")
        settings = self._settings
        test = mnist.load_test(settings.mnist_dir, settings.data_dir)
        if test is None:
            raise DatasetError(
                "this server has no test images: put MNIST's files t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte "
                "into the folder that INKLING_MNIST_DIR names, or into `mnist` in the data directory"
            )
        indices = np.flatnonzero(test.labels == true)
        probabilities = predictor.classifier.probabilities(test.images[indices])  # (n, 10)
        is_misread = probabilities.argmax(axis=1) == predicted
        confidences, indices = probabilities[is_misread, predicted], indices[is_misread]
        surest = np.argsort(-confidences, kind="stable")[:MAX_ITEMS]
        items = [
            MisreadImage(
                index=int(indices[place]),
                image=test.images[indices[place]],
                confidence=float(confidences[place]),
                contributions=_difference(predictor, test.images[indices[place]], predicted, true),
            )
            for place in surest
        ]
        return Misread(images=len(is_misread), count=len(indices), items=items)


def _difference(predictor: Predictor, image: Gray, predicted: int, true: int) -> NDArray[np.float64]:
    for_it, for_true = (predictor.explain(image, digit).contributions for digit in (predicted, true))
    return for_it - for_true if predicted != true else for_it
