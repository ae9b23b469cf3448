"""The reduction of a mask or a picture by whole squares of pixels, in which thin lines survive."""

import numpy as np

from inkling.digit import Mask


def max_pool(mask: Mask, step: int) -> Mask:
    """Return whether any pixel is true in each square of `step` pixels."""
    if step == 1:
        return mask
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], step), axis=0)
    pooled: Mask = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], step), axis=1)
    return pooled


def upsample(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask of `max_pool` at the size (h, w) of its picture."""
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
