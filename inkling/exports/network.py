"""The network that is taken away: a version's parameters, as an export stores them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from inkling.errors import CheckpointError, ExportError
from inkling.network.checkpoint import SHAPES, Card, Checkpoint, load

Weights = Literal["f32", "f16"]
"""The floats that store the weights. The biases, 394 numbers, and all arithmetic are float32."""

SHORT_NAMES = {
    "weights/h1": "h1",
    "weights/h2": "h2",
    "weights/out": "out",
    "biases/b1": "b1",
    "biases/b2": "b2",
    "biases/out": "b_out",
}
"""The arrays' names as identifiers."""
LARGEST_F16 = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class PortableNetwork:
    """A version's network, without the digit probe.

    Raises:
        ExportError: a weight is too large for float16.
    """

    checkpoint: Checkpoint
    version: int
    weights: Weights

    def __post_init__(self) -> None:
        _ = self.arrays  # so that a weight which is too large is found before the work

    @classmethod
    def load(cls, content: bytes, version: int, weights: Weights) -> Self:
        """Return the network of a version's checkpoint file.

        Raises:
            CheckpointError: the file is damaged.
            ExportError: a weight is too large for float16.
        """
        try:
            return cls(load(content), version, weights)
        except CheckpointError as error:
            raise CheckpointError(f"version {version} is damaged: {error}") from error

    @property
    def card(self) -> Card:
        return self.checkpoint.card

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The parameters by their names in the checkpoint, in the order of SHAPES: a loaded file has any order."""
        return {name: self._stored(name) for name in SHAPES}

    @cached_property
    def temperatures(self) -> tuple[float, float]:
        """What divides the logits of one view, and the mean logits of all; float32 values."""
        views = self.card.views
        return float(np.float32(self.card.temperature)), float(np.float32(views.temperature if views else 1.0))

    @property
    def views_below(self) -> float:
        """The confidence below which an image is read in all views; 0, so never, if the version has none."""
        return float(np.float32(self.card.views.below)) if self.card.views else 0.0

    def _stored(self, name: str) -> NDArray[Any]:
        array = np.ascontiguousarray(self.checkpoint.parameters[name])
        if self.weights == "f32" or not name.startswith("weights/"):
            return array
        largest = float(np.abs(array).max())
        if largest > LARGEST_F16:
            raise ExportError(
                f"{name} holds {largest:g}, and float16 ends at {LARGEST_F16:g}; export it with f32 weights"
            )
        return array.astype(np.float16)
