"""The parts that work is divided into: a unit is what one process does at a time, a batch what it predicts at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from inkling.digit import Gray, Images
from inkling.predictor import Fit

UNIT_IMAGES = 8192
"""Images of 28x28 pixels per unit: some 50 ms."""
UNIT_FILES = 256
"""Image files per unit."""
UNIT_PICTURES = 64
"""With fit=mnist, where each takes milliseconds."""
UNIT_BYTES = 8 << 20
"""Bytes per unit that hold images or image files, unless one alone is larger."""
MAX_FILE_BYTES = 64 << 20
"""Bytes of an image file."""


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of an image that cannot be read."""

    reason: str


Item = bytes | Gray | Unreadable
"""An image file, a picture (h, w), or the reason why there is none."""


@dataclass(frozen=True)
class Batch:
    """Images that are predicted together."""

    files: str | Sequence[str]
    """The file of all images, or of each."""
    first_row: int | None
    """The row of the first image in its file, others follow; None if each image is a file."""
    items: Images | Sequence[Item]
    """Images (n, 28, 28), or anything else one by one."""


class Unit(Protocol):
    """A part of the input. It travels between processes, so it names files and rows rather than holding them."""

    @property
    def key(self) -> str:
        """Identifies it, so that a resumed job notices that its input has changed."""

    def read(self, fit: Fit) -> Iterator[Batch]:
        """Yield its images in order; errors are Unreadable items."""

    def split(self) -> "Sequence[Unit]":
        """Return smaller units; none if it is a single image."""

    def failed(self, reason: str) -> "Unit":
        """Return as many images that cannot be read."""


@dataclass(frozen=True)
class Loaded:
    """A unit that holds its images, of a file that can only be read from its start to its end."""

    batch: Batch
    key: str

    def read(self, fit: Fit) -> Iterator[Batch]:
        del fit
        yield self.batch

    def split(self) -> "Sequence[Loaded]":
        middle = len(self.batch.items) // 2
        return [] if middle == 0 else [self._part(slice(middle)), self._part(slice(middle, None))]

    def failed(self, reason: str) -> "Loaded":
        items = [Unreadable(reason)] * len(self.batch.items)
        return Loaded(Batch(self.batch.files, self.batch.first_row, items), self.key)

    def _part(self, part: slice) -> "Loaded":
        files, row = self.batch.files, self.batch.first_row
        files = files if isinstance(files, str) else files[part]
        return Loaded(Batch(files, row if row is None else row + (part.start or 0), self.batch.items[part]), self.key)


def unreadable_file(name: str, reason: str, row: int | None = None) -> Loaded:
    """Return the unit of a file that cannot be read at all, or not beyond a row."""
    return Loaded(Batch(name, row, [Unreadable(reason)]), f"{name}: {reason}")


def unit_rows(fit: Fit, row_bytes: int) -> int:
    """Return how many images of an array make a unit."""
    most = UNIT_IMAGES if fit == "strict" else UNIT_PICTURES
    return int(np.clip(UNIT_BYTES // max(row_bytes, 1), 1, most))
