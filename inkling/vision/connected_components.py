"""Connected components of a mask, in NumPy: runs of pixels are the nodes of a graph, which is joined in rounds."""

import numpy as np
from numpy.typing import NDArray


def label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the labels (h, w), 0 where the mask is false and 1 to n on its components, and n.

    Pixels that touch by an edge or a corner belong to one component. Components are numbered by their first pixel, row
    by row. The time is that of sorting the runs of true pixels, also for spirals and checkerboards.
    """
    height, width = mask.shape
    stride = width + 2  # a false pixel at each end of a row keeps runs, and corners, from wrapping around
    padded = np.zeros((height, stride), np.bool_)
    padded[:, 1:-1] = mask
    pixels = padded.reshape(-1)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts, ends = changes[::2], changes[1::2]  # (runs,)
    roots = _roots(len(starts), *_touching(starts, ends, stride))
    is_root = roots == np.arange(len(roots))
    numbers = np.cumsum(is_root, dtype=np.int32)[roots]  # (runs,), 1 to n
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(numbers, ends - starts)
    return labels, int(is_root.sum())


def _touching(
    starts: NDArray[np.intp], ends: NDArray[np.intp], stride: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of runs in neighboring rows that touch, as two arrays of indices."""
    # Of the runs in the next row, those from the first that ends at or after a run's start
    # to the last that starts at or before the run's end.
    first = np.searchsorted(ends, starts + stride, side="left")
    last = np.searchsorted(starts, ends + stride, side="right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return upper, lower


def _roots(count: int, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each node the smallest node of its component, given the edges.

    In each round every tree is attached to the smallest tree that it touches, and is flattened. The number of rounds
    grows with the logarithm of the number of nodes.
    """
    parents = np.arange(count)
    while len(left):
        a, b = parents[left], parents[right]
        is_open = a != b
        left, right, a, b = left[is_open], right[is_open], a[is_open], b[is_open]
        np.minimum.at(parents, np.maximum(a, b), np.minimum(a, b))
        while ((grandparents := parents[parents]) != parents).any():
            parents = grandparents
    return parents
