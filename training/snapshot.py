"""The state of an unfinished training, from which it resumes exactly."""

from dataclasses import dataclass, field

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from inkling.errors import CheckpointError, DatasetError
from inkling.mnist import Dataset
from inkling.network import checkpoint
from inkling.registry.records import Snapshot

Parameters = dict[str, NDArray[np.float32]]

SLOTS = ("first_moments/", "second_moments/", "averages/")


@dataclass(frozen=True)
class TrainingState:
    """The state after `step` steps. The order of the images follows from the recipe's seed and the step."""

    step: int
    elapsed_s: float
    parameters: Parameters
    slots: Parameters = field(default_factory=dict)
    """The optimizer's moments and the averages, `first_moments/weights/h1` and so on, each shaped as its parameter."""

    feedback: str = ""
    """The digest of the corrections that it learns; empty: none."""
    dataset: str = ""
    """The digest of the dataset that it learns; empty: of an earlier release, which did not keep it."""

    def require_dataset(self, data: Dataset) -> None:
        """Check that the training goes on with the images that it began with.

        Raises:
            DatasetError: they have changed.
        """
        if self.dataset not in ("", data.digest):
            raise DatasetError(
                f"{data.name} has changed since step {self.step} of the run: its SHA-256 was {self.dataset[:12]}..., "
                f"and is {data.digest[:12]}... now, of {len(data.train):,} training and {len(data.test):,} test "
                "images; a version would have learned some of both. Put the former files back, or queue another run"
            )

    def to_snapshot(self) -> Snapshot:
        tensors = {**self.parameters, **self.slots, "elapsed_s": np.array(self.elapsed_s)}
        for name, digest in (("feedback", self.feedback), ("dataset", self.dataset)):
            if digest:
                tensors[name] = np.frombuffer(bytes.fromhex(digest), np.uint8)
        return Snapshot(self.step, safetensors.numpy.save(tensors))

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> "TrainingState":
        """Read a snapshot.

        Raises:
            CheckpointError: it is damaged, or belongs to another network.
        """
        tensors = checkpoint.read_tensors(snapshot.state)
        elapsed_s = tensors.pop("elapsed_s", None)
        if elapsed_s is None or elapsed_s.shape != ():
            raise CheckpointError("elapsed_s is missing")
        feedback, dataset = (
            tensors.pop(name, np.empty(0, np.uint8)).tobytes().hex() for name in ("feedback", "dataset")
        )
        slots = {name: tensors.pop(name) for name in sorted(tensors) if name.startswith(SLOTS)}
        checkpoint.verify(tensors)
        for name, slot in slots.items():
            checkpoint.verify({**tensors, name.partition("/")[2]: slot})
        return cls(snapshot.step, float(elapsed_s), tensors, slots, feedback, dataset)
