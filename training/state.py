"""The state of an unfinished training: what it needs to go on as if nothing had happened."""

from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from training import checkpoint
from training.checkpoint import CheckpointError
from training.records import Snapshot

Parameters = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class TrainingState:
    """After `step` steps. The order of the images follows from the recipe's seed and the step, so it is not kept."""

    step: int
    elapsed_s: float
    parameters: Parameters

    def to_snapshot(self) -> Snapshot:
        tensors = {**self.parameters, "elapsed_s": np.array(self.elapsed_s)}
        return Snapshot(self.step, safetensors.numpy.save(tensors))

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> "TrainingState":
        """Read a snapshot.

        Raises:
            CheckpointError: it is not one, or not of this network.
        """
        tensors = checkpoint.read_tensors(snapshot.state)
        elapsed_s = tensors.pop("elapsed_s", None)
        if elapsed_s is None or elapsed_s.shape != ():
            raise CheckpointError("elapsed_s is missing")
        checkpoint.verify(tensors)
        return cls(snapshot.step, float(elapsed_s), tensors)
