"""The mean gray level of the window around each pixel."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats


def box_blur(gray: Floats, radius: int) -> Floats:
    """Return the mean of the window around each pixel, 2 radius + 1 wide; beyond the edges, their pixels go on."""
    size = 2 * radius + 1
    height, width = gray.shape
    rows = np.empty((height + 2 * radius, width))
    rows[:radius], rows[radius : radius + height], rows[radius + height :] = gray[0], gray, gray[-1]
    sums = _window_sums(rows, size)  # (h, w)
    columns = np.empty((width + 2 * radius, height))
    columns[:radius], columns[radius : radius + width], columns[radius + width :] = sums[:, 0], sums.T, sums[:, -1]
    means: Floats = (_window_sums(columns, size).T / size**2).astype(np.float32, order="C")
    return means


def _window_sums(rows: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the sums of each `size` rows that follow one another (n - size + 1, m).

    Windows double their size until they are as large as needed: that takes fewer passes than there are rows in one.
    """
    count, position = len(rows) - size + 1, 0
    sums = np.zeros((count, rows.shape[1]))
    doubled, doubled_size = rows, 1
    while True:
        if size & doubled_size:
            sums += doubled[position : position + count]
            position += doubled_size
        if 2 * doubled_size > size:
            return sums
        doubled = doubled[:-doubled_size] + doubled[doubled_size:]
        doubled_size *= 2
