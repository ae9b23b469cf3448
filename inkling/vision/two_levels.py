"""The foreground of a picture of two levels, evenly lit paper and strokes, however much of it they cover.

Where thick strokes fill a picture, no window and no surface shows the paper under them, but nearly every pixel has the
level of the one or the other.
"""

import numpy as np

from inkling.digit import Floats
from inkling.vision.foreground import Foreground, estimate_noise
from inkling.vision.order_statistics import median, percentile

NEAR = 0.15
"""Of the step between the two levels: so far do pixels differ from their own level."""
SHARE = 0.85
"""Of the pixels must be that near to one of the levels; the others are edges of strokes."""
LEAST_STEP = 24.0
"""Gray levels between strokes and paper."""


def find_two_levels(gray: Floats) -> Foreground | None:
    """Return the foreground of a picture (h, w), 0 black to 255 white, that has two levels; None if it has more.

    The paper is the level that most of the picture's edge has.
    """
    middle = float(np.mean([percentile(gray, 2), percentile(gray, 98)], dtype=np.float32))
    is_light = gray > middle
    if is_light.all() or not is_light.any():
        return None
    light, dark = median(gray[is_light]), median(gray[~is_light])
    step = light - dark
    is_near = np.abs(gray - np.where(is_light, np.float32(light), np.float32(dark))) <= NEAR * step
    if step < LEAST_STEP or is_near.mean() < SHARE:
        return None
    edge = np.concatenate([is_light[0], is_light[-1], is_light[:, 0], is_light[:, -1]])
    is_darker = bool(edge.mean() > 0.5)
    shares = (light - gray if is_darker else gray - dark) / np.float32(step)  # (h, w), 0 paper to 1 strokes
    levels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    noise = estimate_noise(gray)
    return Foreground(levels, shares > 0.5, inverted=is_darker, background_removed=True, noise=noise, contrast=step)
