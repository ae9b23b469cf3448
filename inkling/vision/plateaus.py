"""Plateaus: even areas that are fainter than the strokes of a picture and wider, which are shadows."""

import numpy as np

from inkling.digit import Floats, Gray

SAMPLE_SIDE = 36
"""Pixels of the longer side of the sample in which plateaus are looked for; one is 4 wide and high, at least.

So it is 1/9 of the picture: more than two of MNIST's pixels, however much they were enlarged.
"""
LEAST, MOST, RANGE = 0.1, 0.8, 0.1
"""Lowest and highest level of a plateau, and its range at most, as shares of the strokes' level."""


def has_plateau(levels: Gray | Floats, full: float) -> bool:
    """Return whether the levels (h, w) of strokes, 0 for background to `full`, have a plateau.

    The time does not depend on the size: some 15 us.
    """
    step = -(-max(levels.shape) // SAMPLE_SIDE)
    low = high = levels[::step, ::step]
    for shift in (1, 2):  # windows of 2 pixels, then of 4
        low, high = np.minimum(low[:-shift], low[shift:]), np.maximum(high[:-shift], high[shift:])
        low, high = np.minimum(low[:, :-shift], low[:, shift:]), np.maximum(high[:, :-shift], high[:, shift:])
    return bool(((low > LEAST * full) & (high < MOST * full) & (high - low <= RANGE * full)).any())
