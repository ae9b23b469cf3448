"""The first hidden layer of a network in training, in 100 KB: what the page draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.network.checkpoint import SHAPES

WEIGHTS, AVERAGES = "weights/h1", "averages/weights/h1"
LARGEST_BYTE = 127


@dataclass(frozen=True)
class FirstLayer:
    """The weights of the first hidden layer after a step."""

    step: int
    largest: float
    """The largest absolute weight: a weight w is the byte round(127 w / largest)."""
    content: bytes
    """int8 (128, 784): for each unit its weights."""

    @classmethod
    def from_tensors(cls, step: int, tensors: Mapping[str, NDArray[np.generic]]) -> "FirstLayer":
        """Return the layer of a network: of its averages if it has them, because they would be served.

        Args:
            step: after which the network has these tensors.
            tensors: named as in a checkpoint or a snapshot.

        Raises:
            CheckpointError: they are those of another network.
        """
        weights = tensors.get(AVERAGES, tensors.get(WEIGHTS))
        if weights is None or weights.shape != SHAPES[WEIGHTS]:
            raise CheckpointError(f"there is no {WEIGHTS} of the shape {SHAPES[WEIGHTS]}")
        layer = weights.astype(np.float32).T  # (128, 784)
        largest = float(np.abs(layer).max()) or 1.0
        return cls(step, largest, np.rint(layer * (LARGEST_BYTE / largest)).astype(np.int8).tobytes())
