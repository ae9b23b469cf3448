"""Order statistics of gray levels: several of them take a third of the time if the 256 levels are counted once."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Gray


class GrayLevels:
    """How many pixels of a picture (h, w), not empty, have each level."""

    def __init__(self, gray: Gray) -> None:
        self._values = np.arange(256.0)  # ascending
        self._counts = np.bincount(gray.reshape(-1), minlength=256)  # (256,)

    @cached_property
    def median(self) -> float:
        return self.percentile(50)

    @property
    def median_deviation(self) -> float:
        """The median of the levels' distances from their median."""
        distances = np.abs(self._values - self.median)
        order = np.argsort(distances)
        return _percentile(distances[order], self._counts[order], 50)

    def percentile(self, percent: float) -> float:
        """Return a percentile, between two levels by linear interpolation, as np.percentile does."""
        return _percentile(self._values, self._counts, percent)


def _percentile(values: NDArray[np.float64], counts: NDArray[np.intp], percent: float) -> float:
    """Return a percentile of ascending values (n,) that occur so many times."""
    ends = np.cumsum(counts)  # (n,)
    position = percent / 100 * (int(ends[-1]) - 1)
    below, above = values[np.searchsorted(ends, [int(position), -int(-position // 1)], side="right")].tolist()
    return float(below + (above - below) * (position - int(position)))
