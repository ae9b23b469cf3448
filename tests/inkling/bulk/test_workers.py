"""The processes of a job: one that dies is started again, and costs one image."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from inkling.bulk.batches import Batch, Loaded, Unit, Unreadable
from inkling.bulk.workers import Task, in_order
from inkling.digit import Images
from inkling.network.checkpoint import Checkpoint
from inkling.predictor import Fit
from inkling.vision.image_files import PictureLimits

DEADLY = 255
"""Of images that are filled with it, the process that reads them dies."""


@dataclass(frozen=True)
class DeadlyUnit(Loaded):
    def read(self, fit: Fit) -> Iterator[Batch]:
        if any(not isinstance(item, Unreadable) and np.min(item) == DEADLY for item in self.batch.items):
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().read(fit)

    def _part(self, part: slice) -> Loaded:
        return DeadlyUnit(super()._part(part).batch, self.key)


@pytest.mark.unmeasured
def test_image_on_which_the_process_dies_is_a_row_and_all_others_are_read(shipped: Checkpoint, digits: Images) -> None:
    images = digits[:4].copy()
    images[2] = DEADLY
    units: list[Unit] = [
        DeadlyUnit(Batch("x.npy", row, some), str(row)) for row, some in ((0, digits[:3]), (3, images), (7, digits))
    ]
    task = Task(shipped.content, 0, "strict", PictureLimits(), 0.5, "csv")
    done = list(in_order(units, task, 1))
    assert [unit for unit, _ in done] == units
    assert [(one.images, one.errors) for _, one in done] == [(3, 0), (4, 1), (20, 0)]
    words = "the process that read it died (signal 9)"
    assert done[1][1].first_error == f"x.npy: {words}"
    rows = b"".join(one.content for _, one in done).decode().splitlines()
    assert [row.split(",")[1] for row in rows] == [str(row) for row in range(27)]
    assert rows[5].endswith(f",{words}")
