"""The images that excite each hidden unit of a network most, found in one pass over a dataset of any size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Floats, Images
from inkling.network.checkpoint import SHAPES
from inkling.network.forward import sigmoid

SHOWN = 8
"""Images per unit."""
UNITS = (SHAPES["biases/b1"][0], SHAPES["biases/b2"][0])
"""Of the two hidden layers."""


@dataclass(frozen=True)
class ActivatingImages:
    """For each unit of a hidden layer, the images that excite it most, the most exciting first."""

    indices: NDArray[np.int64]
    """(units, k): their places in the dataset, from 0; k is SHOWN, or the number of images if that is less."""
    images: Images
    """(units, k, 28, 28)."""
    activations: Floats
    """(units, k): what the unit computes of them, 0 to 1."""


def find_activating_images(
    parameters: Mapping[str, Floats], chunks: Iterable[Images]
) -> tuple[ActivatingImages, ActivatingImages]:
    """Return those of the first and of the second hidden layer.

    It holds one chunk at a time, and 2.4 MB of images that it has found.

    Args:
        parameters: the network's, by their names in a checkpoint.
        chunks: the images of the dataset, (n, 28, 28) each, 0 background to 255 foreground.
    """
    first, second = (_Highest(units) for units in UNITS)
    for images in chunks:
        x: Floats = images.reshape(-1, NUM_PIXELS) * np.float32(1 / 255)  # (n, 784)
        sums: Floats = x @ parameters["weights/h1"] + parameters["biases/b1"]  # (n, 128)
        first.add(sums, images)
        sums = sigmoid(sums) @ parameters["weights/h2"] + parameters["biases/b2"]  # (n, 256)
        second.add(sums, images)
    return first.found(), second.found()


class _Highest:
    """The images with the highest sums so far, for each unit of a layer.

    By the sums before the sigmoid function: many images have an activation of 1.0, the largest number below it.
    """

    def __init__(self, units: int) -> None:
        self._seen = 0
        self._sums = np.full((units, SHOWN), -np.inf, np.float32)
        self._indices = np.zeros((units, SHOWN), np.int64)
        self._images = np.zeros((units, SHOWN, SIDE, SIDE), np.uint8)

    def add(self, sums: Floats, images: Images) -> None:
        """Look at images (n, 28, 28) of which the units have sums (n, units)."""
        merged = np.concatenate([self._sums, sums.T], axis=1)  # (units, SHOWN + n)
        chosen = np.argpartition(-merged, SHOWN - 1, axis=1)[:, :SHOWN]  # (units, SHOWN)
        kept = np.minimum(chosen, SHOWN - 1)
        new = np.maximum(chosen - SHOWN, 0)
        is_new = chosen >= SHOWN
        self._sums = np.take_along_axis(merged, chosen, axis=1)
        self._indices = np.where(is_new, self._seen + new, np.take_along_axis(self._indices, kept, axis=1))
        old_images = np.take_along_axis(self._images, kept[..., np.newaxis, np.newaxis], axis=1)
        self._images = np.where(is_new[..., np.newaxis, np.newaxis], images[new], old_images)
        self._seen += len(images)

    def found(self) -> ActivatingImages:
        order = np.lexsort((self._indices, -self._sums), axis=1)[:, : self._seen]
        return ActivatingImages(
            indices=np.take_along_axis(self._indices, order, axis=1),
            images=np.take_along_axis(self._images, order[..., np.newaxis, np.newaxis], axis=1),
            activations=sigmoid(np.take_along_axis(self._sums, order, axis=1)),
        )
