"""The training images that excite the hidden units of a version most: found once per version, in a thread."""

from dataclasses import dataclass

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from app.errors import FieldError, TrainingImagesError
from app.serving.numbered_versions import NumberedVersions
from app.settings import Settings
from inkling import mnist
from inkling.digit import Gray
from inkling.errors import DatasetError
from inkling.network.activating_images import UNITS, ActivatingImages, find_activating_images
from inkling.predictor import Predictor
from inkling.training_images import find_training_folder, training_images

KEPT = 4
"""Versions whose images are kept, 2.4 MB each; the one found longest ago makes room."""


@dataclass(frozen=True)
class ActivatingImage:
    index: int
    """Its place among the training images, from 0."""
    image: Gray
    """(28, 28), 0 background to 255 foreground."""
    label: int
    """The digit that it shows."""
    activation: float
    """Of the unit, 0 to 1."""


@dataclass(frozen=True)
class _Found:
    layers: tuple[ActivatingImages, ActivatingImages]
    labels: NDArray[np.uint8]
    """(n,): of all training images."""


class ActivatingImageFinder:
    """Finds them in MNIST's training images, if this server has their files, of which it holds 1,024 images at a time.

    Args:
        settings: where the files are.
        versions: whose units are asked for.
    """

    def __init__(self, settings: Settings, versions: NumberedVersions) -> None:
        self._settings = settings
        self._versions = versions
        self._limiter = CapacityLimiter(1)
        self._found: dict[str, _Found] = {}  # by the checkpoint's digest; of the one thread that runs

    async def find(self, version: int, layer: int, unit: int) -> tuple[int, list[ActivatingImage]]:
        """Return the number of training images, and those that excite a unit most, the most exciting first.

        The first question about a version reads all images, which takes about a second of CPU.

        Args:
            version: its number.
            layer: 1 or 2.
            unit: from 0.

        Raises:
            FieldError: the layer has no such unit.
            UnknownVersionError, UnavailableError: as `NumberedVersions.predictor`.
            TrainingImagesError: this server has no training images, or they are damaged, or the version learned
                other classes.
        """
        if unit >= UNITS[layer - 1]:
            raise FieldError(f"unit is {unit}, expected 0 to {UNITS[layer - 1] - 1}: layer {layer} has no more")
        predictor = await self._versions.predictor(version)
        found = await run_sync(self._find, predictor, limiter=self._limiter)
        images = found.layers[layer - 1]
        items = [
            ActivatingImage(int(index), image, int(found.labels[index]), float(activation))
            for index, image, activation in zip(
                images.indices[unit], images.images[unit], images.activations[unit], strict=True
            )
        ]
        return len(found.labels), items

    def _find(self, predictor: Predictor) -> _Found:
        if not predictor.learned.shows_digits:
            raise TrainingImagesError(
                f"the version learned {predictor.learned}, and this server has training images of digits"
            )
        checkpoint = predictor.classifier.checkpoint
        if checkpoint.digest in self._found:
            return self._found[checkpoint.digest]
        folder = find_training_folder(self._settings.mnist_dir, self._settings.data_dir)
        if folder is None:
            raise TrainingImagesError(
                "this server has no training images: put MNIST's files train-images-idx3-ubyte and "
                "train-labels-idx1-ubyte into the folder that INKLING_MNIST_DIR names, or into `mnist` in the data "
                "directory"
            )
        try:
            labels = mnist.read_array(folder, mnist.TRAIN_LABELS)
            layers = find_activating_images(checkpoint.parameters, training_images(folder))
        except DatasetError as error:
            raise TrainingImagesError(str(error)) from error
        found = _Found(layers, labels)
        self._found[checkpoint.digest] = found
        if len(self._found) > KEPT:
            del self._found[next(iter(self._found))]
        return found
