"""Views: an image and its four shifts by one pixel, whose mean logits answer where the first reading is not sure.

Averaging over shifted copies is test-time augmentation (Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification
with deep convolutional neural networks", section 4.1). It costs five forward passes, so only the few images are read
again that the network is not sure of.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from inkling.digit import SIDE

T = TypeVar("T", bound=np.generic)

SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""The views: by how many pixels each moves the image down and to the right. The first is the image itself."""

CONFIDENCE = 0.97
"""Images whose first confidence is below this are read in all views. About 3 % of MNIST's are; in trials on held-out
images 0.95 and 0.99 were as good (docs/trials.md)."""


class Views(BaseModel):
    """The property of a version that it reads unsure images in all views."""

    model_config = ConfigDict(frozen=True)

    below: float = Field(
        CONFIDENCE, gt=0, le=1, allow_inf_nan=False, description="images whose first confidence is below it are read so"
    )
    temperature: float = Field(gt=0, le=100, allow_inf_nan=False, description="divides the mean logits of the views")


def shifted(images: NDArray[T], down: int, right: int) -> NDArray[T]:
    """Return images (n, 28, 28) moved by some pixels; what enters is background, 0, and what leaves is lost."""
    moved = np.zeros_like(images)
    (to_rows, from_rows), (to_columns, from_columns) = (_overlap(by) for by in (down, right))
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def shifted_weights(weights: NDArray[T], down: int, right: int) -> NDArray[T]:
    """Return first-layer weights (784, m) with which an image gives what its shift gives with `weights` (784, m).

    The weight of a pixel is the one of the place that it moves to; a pixel that leaves the image has the weight 0.
    """
    by_unit = np.moveaxis(weights.reshape(SIDE, SIDE, -1), -1, 0)  # (m, 28, 28)
    return np.moveaxis(shifted(by_unit, -down, -right), 0, -1).reshape(weights.shape)


def _overlap(by: int) -> tuple[slice, slice]:
    """Return the rows or columns that a shift fills, and those that it takes them from."""
    return slice(max(0, by), SIDE + min(0, by)), slice(max(0, -by), SIDE + min(0, -by))
